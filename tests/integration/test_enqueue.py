"""Tasks reach the queues as Celery itself would have put them there, and are confirmed."""

import json
import time
from typing import Any

import pytest
from celery import Celery

from pusher.clock import from_epoch
from pusher.errors import BusUnavailable
from pusher.messages.push_request import PushRequest
from pusher.push.app import ProviderName
from pusher.push.notification import Notification
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from tasks.app import PusherApp
from tasks.enqueue import CeleryEnqueue
from tasks.redacted import shown
from tests.integration.bus.broker import channel_to, counted, taken
from tests.support.child import port_of, reserve_port
from tests.support.rabbitmq import RabbitMQ

DEVICE = Device(account_id="00112233445566778899aabbccddeeff", device_id="device")
#: What differs from task to task.
_OWN = {"id", "root_id", "origin"}


@pytest.fixture
def bus_url(rabbitmq: RabbitMQ) -> Any:
    with rabbitmq.vhost() as url:
        yield url


@pytest.fixture
def app(bus_url: str) -> Celery:
    """The Celery app as the listener has it, with a broker of the test's own."""
    made = PusherApp("test", set_as_current=False)
    made.config_from_object("celeryconfig")
    made.conf.broker_url = bus_url
    return made


@pytest.fixture
def enqueue(app: Celery) -> Any:
    made = CeleryEnqueue(app)
    yield made
    made.close()


def notification(number: int = 1, *, window_s: float = 20.0) -> Notification:
    request = PushRequest(token=f"secret{number}", token_type="apple", app_id="app", msg_id=str(number), server_id="s")
    return Notification.of(request, ProviderName.APPLE, received_at=time.time(), wake_window_s=window_s)


def test_a_push_is_the_message_that_celery_would_have_sent(bus_url: str, app: Celery, enqueue: CeleryEnqueue) -> None:
    push = notification()
    enqueue.push(push)
    kwargs = {"notification": push.to_task()}
    app.send_task(
        "pusher.push.deliver",
        kwargs=kwargs,
        argsrepr="()",
        kwargsrepr=shown(kwargs),
        queue="push.apple",
        expires=from_epoch(push.expires_at),
    )
    ours, theirs = taken(bus_url, "push.apple"), taken(bus_url, "push.apple")
    assert json.loads(ours.body) == json.loads(theirs.body)
    headers = [message.properties.pop("application_headers") for message in (ours, theirs)]
    assert [set(each) for each in headers] == [set(headers[1])] * 2
    assert {key: headers[0][key] for key in headers[0] if key not in _OWN} == {
        key: headers[1][key] for key in headers[1] if key not in _OWN
    }
    assert headers[0]["id"] == headers[0]["root_id"] == ours.properties.pop("correlation_id")
    theirs.properties.pop("correlation_id")
    lives_ms = [int(message.properties.pop("expiration")) for message in (ours, theirs)]
    assert 19_000 < lives_ms[1] <= lives_ms[0] <= 20_000
    # Where a result would go, and there is none.
    assert (ours.properties.pop("reply_to"), bool(theirs.properties.pop("reply_to"))) == ("", True)
    assert ours.properties == theirs.properties
    assert "secret" not in json.dumps(headers[0])


def test_many_pushes_go_each_to_its_queue_in_order(bus_url: str, enqueue: CeleryEnqueue) -> None:
    enqueue.push(*(notification(number) for number in range(50)))
    with channel_to(bus_url) as channel:
        bodies = [json.loads(channel.basic_get("push.apple", no_ack=True).body) for _ in range(50)]
    assert [body[1]["notification"]["request"]["Msg-ID"] for body in bodies] == [str(number) for number in range(50)]
    assert counted(bus_url, "push.firebase") == 0


def test_a_push_that_is_too_late_is_gone_at_once_and_breaks_nothing(bus_url: str, enqueue: CeleryEnqueue) -> None:
    enqueue.push(notification(1, window_s=-5.0), notification(2))
    message = taken(bus_url, "push.apple")
    assert json.loads(message.body)[1]["notification"]["request"]["Msg-ID"] == "2"


def test_device_tasks_carry_what_their_workers_need_and_never_expire(bus_url: str, enqueue: CeleryEnqueue) -> None:
    enqueue.learn({DEVICE: PushObject((("Token-ID", "secret"),))})
    enqueue.forget(DEVICE, "secret", 1234.5)
    learn, forget = taken(bus_url, "devices"), taken(bus_url, "devices")
    ids = {"account_id": DEVICE.account_id, "device_id": "device"}
    assert json.loads(learn.body)[:2] == [[], {**ids, "push_object": {"Token-ID": "secret"}}]
    assert json.loads(forget.body)[:2] == [[], {**ids, "token": "secret", "dead_since": 1234.5}]
    for message, name in ((learn, "learn"), (forget, "forget")):
        assert message.properties["application_headers"]["task"] == f"pusher.devices.{name}"
        assert message.properties["delivery_mode"] == 2
        assert "expiration" not in message.properties
        assert "secret" not in json.dumps(message.properties["application_headers"])


def test_a_broker_that_is_away_is_told(app: Celery) -> None:
    with reserve_port() as holder:
        app.conf.broker_url = f"amqp://guest:guest@127.0.0.1:{port_of(holder)}//"
        enqueue = CeleryEnqueue(app)
        with pytest.raises(BusUnavailable):
            enqueue.push(notification())
        with pytest.raises(BusUnavailable):
            enqueue.connect()
