"""A push_req is taken over by the listener."""

import time

import pytest

from pusher.errors import BusUnavailable
from pusher.flows.accept_push import AcceptPush
from pusher.messages.push_request import ArrivedRequest
from tests.unit.flows.samples import request


@pytest.fixture
def accept(world):
    flow = flow_over(world)
    return lambda request, received_at, **more: flow([arrived(request, received_at, **more)])


def arrived(request, received_at, *, again=False):
    return ArrivedRequest(request=request, received_at=received_at, again=again)


def flow_over(world, monotonic=time.monotonic):
    return AcceptPush(
        waits=world.waits,
        enqueue=world.queue,
        announce=world.bus,
        wake_window_s=20.0,
        monotonic=monotonic,
    )


def test_a_request_is_enqueued_and_its_call_waits_until_the_window_closes(world, accept):
    accept(request(), world.clock.now)
    (push,) = world.queue.pushes
    (wait,) = world.waits.waiting()
    assert push.expires_at == wait.expires_at == world.clock.now + 20
    assert (wait.server_id, wait.msg_id, wait.push_id) == ("kamailio-1", "m1", push.push_id)


def test_expires_of_the_request_rules_the_window(world, accept):
    accept(request(expires_s=3.0), world.clock.now)
    assert world.queue.pushes[0].expires_at == world.clock.now + 3


def test_a_request_delivered_twice_is_one_push_and_one_wait(world, accept):
    accept(request(), world.clock.now)
    accept(request(), world.clock.now + 1, again=True)
    assert len({push.push_id for push in world.queue.pushes}) == 1
    # The worker looks whether the provider had the second one.
    assert [push.again for push in world.queue.pushes] == [False, True]
    assert len(world.waits.waiting()) == 1


def test_a_request_without_server_id_is_pushed_and_nobody_waits(world, accept):
    accept(request(server_id=None), world.clock.now)
    assert len(world.queue.pushes) == 1
    assert world.waits.waiting() == []


def test_an_unknown_token_type_is_answered_at_once_and_never_enqueued(world, accept):
    accept(request(token_type="carrier-pigeon"), world.clock.now)
    assert world.queue.pushes == []
    assert world.bus.responses[0].failure[0] == "unknown_token_type"


def test_with_redis_away_the_push_goes_out_all_the_same(world, accept):
    world.redis_away()
    accept(request(), world.clock.now)
    (push,) = world.queue.pushes
    assert not push.remembered


def test_with_redis_away_one_warning_a_minute_tells_it(world, caplog):
    clock = [0.0]
    accept = flow_over(world, monotonic=lambda: clock[0])
    world.redis_away()
    for clock[0] in (0.0, 1.0, 59.0, 60.0):
        accept([arrived(request(), world.clock.now)])
    assert [record.message for record in caplog.records].count("pushing without answers, Redis is away") == 2


def test_a_push_whose_call_was_written_down_says_so(world, accept):
    accept(request(), world.clock.now)
    (push,) = world.queue.pushes
    assert push.remembered


def test_a_request_that_no_worker_can_get_is_not_taken_over(world, accept):
    world.queue.away = True
    with pytest.raises(BusUnavailable):
        accept(request(), world.clock.now)


def test_requests_that_came_together_are_all_taken_over_and_those_of_no_provider_answered(world):
    requests = [
        arrived(request(msg_id=f"m{number}", token=f"token {number}", token_type=token_type), world.clock.now + number)
        for number, token_type in enumerate(("firebase", "carrier-pigeon", "apple", "smoke"))
    ]
    flow_over(world)(requests)
    assert [(push.request.msg_id, push.provider) for push in world.queue.pushes] == [
        ("m0", "firebase"),
        ("m2", "apple"),
    ]
    assert [wait.msg_id for wait in world.waits.waiting()] == ["m0", "m2"]
    assert [wait.expires_at - world.clock.now for wait in world.waits.waiting()] == [20, 22]
    assert [answer.msg_id for answer in world.bus.responses] == ["m1", "m3"]


def test_two_calls_to_one_phone_that_came_together_both_wait(world):
    flow_over(world)([arrived(request(msg_id=msg_id), world.clock.now) for msg_id in ("m1", "m2")])
    assert sorted(wait.msg_id for wait in world.waits.waiting()) == ["m1", "m2"]


def test_nothing_is_asked_of_anybody_for_no_request_at_all(world):
    world.queue.away = True
    flow_over(world)([])
