"""A push on its way."""

import json
import time
import uuid
from dataclasses import replace

import pytest

from pusher.errors import MessageInvalid
from pusher.messages import envelope
from pusher.messages.push_request import MAX_EXPIRES_S, PushRequest
from pusher.push.app import ProviderName
from pusher.push.notification import Notification
from tests.unit.messages import samples

REQUEST = PushRequest.from_message(envelope.decode(samples.PUSH_REQ))


def notification(request: PushRequest = REQUEST, *, received_at: float = 1000.0) -> Notification:
    return Notification.of(request, ProviderName.FIREBASE, received_at=received_at, wake_window_s=20.0)


def test_a_request_without_expires_is_worth_the_wake_window():
    assert notification().expires_at == 1020.0


@pytest.mark.parametrize("expires_s", [5.0, 0.0, -3.0, 60.0])
def test_expires_counts_from_the_arrival_zero_included(expires_s):
    assert notification(replace(REQUEST, expires_s=expires_s)).expires_at == 1000.0 + expires_s


def test_a_request_delivered_twice_is_one_push():
    push_id = notification().push_id
    assert notification(received_at=2000.0).push_id == push_id
    assert str(uuid.UUID(push_id)) == push_id


@pytest.mark.parametrize("other", [{"msg_id": "m2"}, {"server_id": "s2"}, {"token": "t2"}])
def test_another_request_is_another_push(other):
    assert notification(replace(REQUEST, **other)).push_id != notification().push_id


def test_requests_without_msg_id_are_never_one_push():
    request = replace(REQUEST, msg_id=None)
    assert notification(request).push_id != notification(request).push_id


def test_a_push_survives_its_way_through_a_task():
    value = notification(replace(REQUEST, expires_s=7.5, badge=3))
    for again, remembered in ((False, True), (True, False)):
        value = replace(value, again=again, remembered=remembered)
        assert Notification.from_task(json.loads(json.dumps(value.to_task()))) == value


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"request": None}, "request: is not an object"),
        ({"request": {"Token-Type": "apple", "Token-App": "a"}}, "Token-ID: is missing"),
        ({"provider": "huawei"}, "provider: is not one of ours"),
        ({"provider": None}, "provider: is missing"),
        ({"push_id": "x"}, "push_id: is not a UUID in lower case"),
        ({"push_id": "00000000-0000-4000-8000-000000000000\n"}, "push_id: is not a UUID in lower case"),
        ({"received_at": None}, "received_at: is missing"),
        ({"received_at": float("nan")}, "received_at: is out of range"),
        ({"expires_at": "tomorrow"}, "expires_at: is not a number"),
        ({"expires_at": 10**400}, "expires_at: is out of range"),
        ({"expires_at": 1000.0 + 29 * 86_400}, "expires_at: is out of range"),
    ],
)
def test_a_task_that_pusher_did_not_write_is_refused_by_its_field(changes, problem):
    with pytest.raises(MessageInvalid) as caught:
        Notification.from_task(notification().to_task() | changes)
    assert str(caught.value) == problem


@pytest.mark.parametrize("argument", [None, [], "x", 7])
def test_a_task_without_a_push_is_refused(argument):
    with pytest.raises(MessageInvalid, match="notification: is not an object"):
        Notification.from_task(argument)


def test_a_push_of_the_longest_life_survives_its_way_through_a_task():
    for expires_s in (MAX_EXPIRES_S, -MAX_EXPIRES_S):
        value = notification(replace(REQUEST, expires_s=float(expires_s)), received_at=1_700_000_000.123)
        assert Notification.from_task(json.loads(json.dumps(value.to_task()))) == value


def test_a_task_of_an_earlier_release_may_have_been_sent_before():
    task = notification().to_task()
    del task["again"], task["remembered"]
    push = Notification.from_task(task)
    assert (push.again, push.remembered) == (True, True)


def test_a_task_that_holds_no_request_is_refused():
    with pytest.raises(MessageInvalid, match="Token-ID: is missing"):
        Notification.from_task(notification().to_task() | {"request": {}})


def test_the_deadline_lies_where_the_push_expires():
    remaining_s = notification(received_at=time.time()).deadline.remaining_s()
    assert 15 < remaining_s <= 20
