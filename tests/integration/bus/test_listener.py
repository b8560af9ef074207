"""The listener hands each message to its flow, and lets no call wait behind a registration."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from pusher.bus import consumer as bus_consumer
from pusher.bus.listener import Listener
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, PUSHES, REGISTRAR
from pusher.errors import BusUnavailable, MessageInvalid
from pusher.messages.document_change import DocumentChange
from pusher.messages.push_request import ArrivedRequest
from pusher.messages.registration import Registration
from tests.integration.bus.broker import channel_to, counted, put
from tests.support.rabbitmq import RabbitMQ
from tests.support.until import until

PUSH = {
    "Event-Category": "notification",
    "Event-Name": "push_req",
    "Token-ID": "t1",
    "Token-Type": "apple",
    "Token-App": "org.example.app",
    "Alert-Params": ["Bob M\u00fcller"],
}
REGISTERED = {"Event-Category": "directory", "Event-Name": "reg_success", "Contact": "<sip:a@b;pn-tok=t1>"}


class Hooks:
    """Remembers what the listener handed over; a hook that is set is called with it."""

    def __init__(self) -> None:
        self.pushes: list[ArrivedRequest] = []
        self.registrations: list[Registration] = []
        self.changes = 0
        self.on_push: Callable[[], object] = lambda: None
        self.on_registration: Callable[[], object] = lambda: None

    def accept_pushes(self, arrived: Sequence[ArrivedRequest]) -> None:
        for each in arrived:
            self.pushes.append(each)
            self.on_push()

    def accept_registrations(self, registrations: Sequence[Registration]) -> list[None]:
        for registration in registrations:
            self.registrations.append(registration)
            self.on_registration()
        return [None] * len(registrations)

    def settings_changed(self) -> None:
        self.changes += 1


def of(url: str, hooks: Hooks, publisher: BusPublisher, wake_window_s: float = 20.0) -> Listener:
    """Return a listener with these hooks."""
    return Listener(
        url,
        publisher=publisher,
        accept_pushes=hooks.accept_pushes,
        accept_registrations=hooks.accept_registrations,
        settings_changed=hooks.settings_changed,
        wake_window_s=wake_window_s,
    )


@contextmanager
def listening(url: str, hooks: Hooks, publisher: BusPublisher) -> Iterator[Listener]:
    """Yield a listener that listens."""
    listener = of(url, hooks, publisher)
    listener.start()
    try:
        assert listener.wait_ready(10)
        yield listener
    finally:
        listener.stop()


@pytest.fixture
def say(publisher: BusPublisher) -> Callable[..., None]:
    """Publish a push_req or a reg_success as Kamailio does."""

    def publish(message: dict[str, Any], **changes: object) -> None:
        exchange, key = (PUSHES, "notification.push.apple.t1") if "Token-ID" in message else (REGISTRAR, REG_KEY)
        publisher.publish_json(exchange, key, message | changes)

    return publish


REG_KEY = "registration.success.acme%2Eexample.2001"


def test_messages_reach_their_hooks_as_checked_values(
    bus_url: str, publisher: BusPublisher, say: Callable[..., None]
) -> None:
    hooks = Hooks()
    with listening(bus_url, hooks, publisher):
        say(PUSH, Expires="7")
        say(REGISTERED)
        until(lambda: hooks.pushes and hooks.registrations)
    [arrived] = hooks.pushes
    request = arrived.request
    assert (request.token, request.expires_s, request.alert_params) == ("t1", 7.0, ("Bob M\u00fcller",))
    assert abs(arrived.received_at - time.time()) < 5
    assert not arrived.again
    assert hooks.registrations[0].contact == "<sip:a@b;pn-tok=t1>"


def test_a_flood_of_registrations_does_not_delay_a_call(
    bus_url: str, publisher: BusPublisher, say: Callable[..., None]
) -> None:
    hooks = Hooks()
    go = threading.Event()
    hooks.on_registration = lambda: go.wait(20)
    with listening(bus_url, hooks, publisher):
        with channel_to(bus_url) as channel:
            for _ in range(2000):
                channel.basic_publish(channel.prepare_message(b"{}"), "registrar", REG_KEY)
        say(REGISTERED)
        until(lambda: counted(bus_url, DEAD.name))
        began = time.monotonic()
        say(PUSH)
        until(lambda: hooks.pushes)
        assert time.monotonic() - began < 1
        assert len(hooks.registrations) < 2
        go.set()


GARBAGE: dict[str, bytes] = {
    "not JSON": b"garbage",
    "no object": b"[]",
    "empty": b"",
    "not UTF-8": b"\xff\xfe",
    "NaN": b'{"Expires": NaN}',
    "deep": b"[" * 100_000,
    "of another kind": b'{"Event-Category": "notification", "Event-Name": "something"}',
    "nothing needed": b'{"Event-Category": "notification", "Event-Name": "push_req"}',
    "wrong types": b'{"Event-Category": "notification", "Event-Name": "push_req", "Token-ID": {}}',
    "too large": b" " * 300_000 + b"{}",
}


def test_garbage_on_either_queue_is_kept_and_the_next_message_is_handled(
    bus_url: str, publisher: BusPublisher, say: Callable[..., None]
) -> None:
    hooks = Hooks()
    with listening(bus_url, hooks, publisher):
        for body in GARBAGE.values():
            put(bus_url, "notification.push.apple.t", body, exchange="pushes")
            put(bus_url, REG_KEY, body, exchange="registrar")
        say(PUSH)
        say(REGISTERED)
        until(lambda: hooks.pushes and hooks.registrations)
    assert (len(hooks.pushes), len(hooks.registrations)) == (1, 1)
    assert counted(bus_url, DEAD.name) == 2 * len(GARBAGE)


def test_garbage_among_setting_changes_counts_as_a_change(bus_url: str, publisher: BusPublisher) -> None:
    """To read the settings once more is cheaper than to miss a change."""
    hooks = Hooks()
    with listening(bus_url, hooks, publisher):
        before = hooks.changes
        put(bus_url, "doc_edited.system_config.undefined.pusher", b"\xff", exchange="configuration")
        until(lambda: hooks.changes == before + 1)


def test_changes_of_the_pusher_document_are_told_and_others_are_not(bus_url: str, publisher: BusPublisher) -> None:
    hooks = Hooks()
    with listening(bus_url, hooks, publisher):
        assert hooks.changes == 1
        for created, doc_id in ((False, "pusher"), (False, "crossbar"), (True, "pusher")):
            change = DocumentChange(created=created, database="system_config", doc_id=doc_id, doc_type="config")
            publisher.document_changed(change)
        until(lambda: hooks.changes == 3)


def test_settings_count_as_changed_after_every_reconnect(
    rabbitmq: RabbitMQ, bus_url: str, publisher: BusPublisher
) -> None:
    hooks = Hooks()
    with listening(bus_url, hooks, publisher) as listener:
        for number in range(2, 4):
            rabbitmq.close_connections()
            until(lambda number=number: hooks.changes == number)
        assert listener.wait_ready(10)


def test_a_call_that_could_not_be_handed_on_comes_again_and_an_invalid_one_does_not(
    bus_url: str, publisher: BusPublisher, say: Callable[..., None]
) -> None:
    hooks = Hooks()
    errors = iter([BusUnavailable("workers' broker is away"), MessageInvalid("Token-ID", "is not a device's")])

    def fail_twice() -> None:
        if (error := next(errors, None)) is not None:
            raise error

    hooks.on_push = fail_twice
    with listening(bus_url, hooks, publisher):
        say(PUSH)
        until(lambda: counted(bus_url, DEAD.name) == 1)
    assert [arrived.again for arrived in hooks.pushes] == [False, True]


def test_calls_that_came_while_nobody_listened_are_heard_later(
    bus_url: str, publisher: BusPublisher, say: Callable[..., None]
) -> None:
    hooks = Hooks()
    with listening(bus_url, hooks, publisher):
        pass
    say(PUSH)
    with listening(bus_url, hooks, publisher):
        until(lambda: hooks.pushes)


def test_a_listener_with_another_wake_window_waits_until_the_other_one_has_gone(
    bus_url: str, publisher: BusPublisher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bus_consumer, "RECONNECT_S", (0.01, 0.05))
    hooks = Hooks()
    listener = of(bus_url, hooks, publisher, wake_window_s=30.0)
    with listening(bus_url, hooks, publisher):
        listener.start()
        assert not listener.wait_ready(0.3)
    try:
        assert listener.wait_ready(10)
    finally:
        listener.stop()
    problems = [vars(record)["fields"]["error"] for record in caplog.records if "reconnecting" in record.message]
    assert set(problems) == {
        "queue pusher.push_req exists with other arguments and is in use: "
        "stop its other listeners and let it empty, then start again"
    }


def test_stopping_takes_less_than_two_seconds(bus_url: str, publisher: BusPublisher) -> None:
    with listening(bus_url, Hooks(), publisher) as listener:
        began = time.monotonic()
        listener.stop()
        assert time.monotonic() - began < 2
