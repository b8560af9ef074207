"""The consumer acknowledges what was handled, gives back what was not, keeps what nobody understands, and lives on."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from amqp.basic_message import Message

from pusher.bus import connection as bus_connection
from pusher.bus import consumer as bus_consumer
from pusher.bus.consumer import BusConsumer
from pusher.bus.dead_letters import DeadLetters
from pusher.bus.delivery import Delivery, one_by_one
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, push_requests
from pusher.errors import BusUnavailable, MessageInvalid
from tests.integration.bus.broker import (
    UNREADABLE_PROPERTIES,
    Handled,
    channel_to,
    close_connections,
    consuming,
    counted,
    plain,
    put,
    put_raw,
    taken,
)
from tests.integration.bus.relay import Relay
from tests.support.child import port_of, reserve_port
from tests.support.rabbitmq import RabbitMQ
from tests.support.until import until

Q = plain("q")


def raises(error: Exception) -> Any:
    """Return a step that fails with `error`."""

    def fail(_: Delivery) -> None:
        raise error

    return fail


def unacknowledged(rabbitmq: RabbitMQ) -> int:
    """Return how many messages are in consumers' hands."""
    infos = "rabbit_amqqueue:info_all(V, [messages_unacknowledged])"
    return int(rabbitmq.eval(f"lists:sum([N || V <- rabbit_vhost:list_names(), [{{_, N}}] <- {infos}])"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a broker's silence last half a second instead of four, and reconnects follow one another at once."""
    monkeypatch.setattr(bus_connection, "CONNECT_LIMIT_S", 0.5)
    monkeypatch.setattr(bus_consumer, "RECONNECT_S", (0.001, 0.01))


@pytest.fixture
def ends() -> Iterator[None]:
    """Let no consumer's thread outlive the test."""
    yield
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("bus ")])


def test_a_message_is_acknowledged_when_it_is_handled_and_not_before(
    rabbitmq: RabbitMQ, bus_url: str, publisher: BusPublisher
) -> None:
    go = threading.Event()
    handled = Handled(then=lambda _: go.wait(10))
    with consuming(bus_url, Q, handled, publisher=publisher):
        put(bus_url, "q", b"one")
        until(lambda: handled.deliveries)
        assert unacknowledged(rabbitmq) == 1
        go.set()
        until(lambda: unacknowledged(rabbitmq) == 0)
    assert handled.bodies == [b"one"]
    assert abs(handled.deliveries[0].received_at - time.time()) < 5
    assert counted(bus_url, "q") == 0


def test_messages_are_handled_in_order_in_one_thread(bus_url: str, publisher: BusPublisher) -> None:
    handled = Handled()
    bodies = [str(number).encode() for number in range(300)]
    with consuming(bus_url, Q, handled, publisher=publisher, prefetch=7):
        with channel_to(bus_url) as channel:
            for body in bodies:
                channel.basic_publish(Message(body), "", "q")
        until(lambda: len(handled.bodies) >= 300)
    assert handled.bodies == bodies
    assert len(handled.threads) == 1


def test_what_could_not_be_handed_on_comes_back_in_order_after_a_pause(
    bus_url: str, publisher: BusPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pusher.bus")
    handled = Handled()
    failures = iter([BusUnavailable("told to fail")] * 2)

    def fail_twice(_: Delivery) -> None:
        if (error := next(failures, None)) is not None:
            raise error

    handled.then = fail_twice
    connects: list[float] = []
    with consuming(bus_url, Q, handled, publisher=publisher, on_connect=lambda: connects.append(time.monotonic())):
        for body in (b"one", b"two", b"three"):
            put(bus_url, "q", body)
        until(lambda: len(handled.bodies) >= 5)
    assert handled.bodies == [b"one", b"one", b"one", b"two", b"three"]
    assert counted(bus_url, "q") == 0
    lost = [vars(record)["fields"] for record in caplog.records if "reconnecting" in record.message]
    assert [(fields["queue"], fields["error"]) for fields in lost] == [("q", "told to fail")] * 2
    assert len(connects) == 3
    for before, after, fields in zip(connects[:-1], connects[1:], lost, strict=True):
        assert after - before >= fields["delay_s"] >= 0.1


def test_stopping_finishes_the_message_in_hand_and_leaves_the_rest_to_others(
    bus_url: str, publisher: BusPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_consumer, "FAREWELL_S", 0.1)
    go = threading.Event()
    handled = Handled(then=lambda _: go.wait(10))
    with consuming(bus_url, Q, handled, publisher=publisher, prefetch=50) as consumer:
        for number in range(20):
            put(bus_url, "q", str(number).encode())
        until(lambda: handled.deliveries)
        stopper = threading.Thread(target=consumer.stop)
        stopper.start()
        stopper.join(0.3)
        assert stopper.is_alive()
        go.set()
        stopper.join(5)
        assert not stopper.is_alive()
    assert handled.bodies == [b"0"]
    until(lambda: counted(bus_url, "q") == 19)
    assert taken(bus_url, "q").body == b"1"


@pytest.mark.parametrize(
    ("error", "reason", "problem"),
    [
        (MessageInvalid("Token-ID", "is missing"), "message_invalid", "Token-ID: is missing"),
        (ZeroDivisionError("secret"), "internal_error", "ZeroDivisionError"),
        (OSError("looks like a broken connection"), "internal_error", "OSError"),
    ],
)
def test_what_cannot_be_handled_is_kept_and_the_next_is_handled(
    bus_url: str, publisher: BusPublisher, caplog: pytest.LogCaptureFixture, error: Exception, reason: str, problem: str
) -> None:
    handled = Handled(then=raises(error))
    with consuming(bus_url, push_requests(20.0), handled, publisher=publisher):
        put(bus_url, "notification.push.apple.t\u00e9", b"bad\xff", exchange="pushes", content_type="text/x")
        until(lambda: counted(bus_url, DEAD.name))
        handled.then = None
        put(bus_url, "notification.push.apple.t", b"good", exchange="pushes")
        until(lambda: b"good" in handled.bodies)
    assert handled.bodies == [b"bad\xff", b"good"]
    letter = taken(bus_url)
    headers = letter.properties["application_headers"]
    assert headers.pop("x-pusher-at")[-6:] == "+00:00"
    assert headers == {
        "x-pusher-reason": reason,
        "x-pusher-problem": problem,
        "x-pusher-queue": "pusher.push_req",
        "x-pusher-exchange": "pushes",
        "x-pusher-routing-key": "notification.push.apple.t\u00e9",
        "x-pusher-size": "4",
    }
    assert (letter.body, letter.properties["content_type"]) == (b"bad\xff", "text/x")
    assert "kept in pusher.dead" in caplog.text
    assert "bad" not in caplog.text


def test_a_message_that_could_not_be_kept_is_not_acknowledged(bus_url: str) -> None:
    with reserve_port() as holder:
        nobody = BusPublisher(f"amqp://127.0.0.1:{port_of(holder)}//", "pusher@test")
        handled = Handled(then=raises(MessageInvalid("body", "is not JSON")))
        with consuming(bus_url, Q, handled, publisher=nobody):
            put(bus_url, "q")
            until(lambda: len(handled.deliveries) >= 2)
    assert counted(bus_url, "q") == 1


MEGABYTE = bytes(range(256)) * 4096
#: What is put on the bus, and the body that `handle` gets.
STRANGE: dict[str, tuple[dict[str, Any], bytes]] = {
    "a megabyte": ({"body": MEGABYTE}, MEGABYTE),
    "empty": ({"body": b""}, b""),
    "Latin-1": ({"body": b"M\xfcller", "content_type": "application/json"}, b"M\xfcller"),
    "Latin-1 said to be UTF-8": ({"body": b"M\xfcller", "content_encoding": "utf-8"}, b"M\xfcller"),
    "a text": ({"body": "Müller", "content_encoding": "utf-8"}, "Müller".encode()),
    "UTF-16": ({"body": "é".encode("utf-16"), "content_encoding": "utf-16"}, "é".encode()),
    "half a surrogate pair": ({"body": rb"\ud83d", "content_encoding": "unicode_escape"}, b"\xed\xa0\xbd"),
    "not really compressed": ({"body": b"{}", "application_headers": {"compression": "zlib"}}, b"{}"),
    "no known compression": ({"body": b"{}", "application_headers": {"compression": "no-such"}}, b"{}"),
}


def test_strange_messages_are_handled_like_any_other(bus_url: str, publisher: BusPublisher) -> None:
    handled = Handled()
    with consuming(bus_url, Q, handled, publisher=publisher):
        for properties, _ in STRANGE.values():
            put(bus_url, "q", **properties)
        until(lambda: len(handled.bodies) >= len(STRANGE))
    assert dict(zip(STRANGE, handled.bodies, strict=True)) == {name: body for name, (_, body) in STRANGE.items()}
    assert counted(bus_url, "q") == 0


def test_a_message_with_properties_that_nobody_can_read_is_handled_like_any_other(
    bus_url: str, publisher: BusPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    """py-amqp cannot parse them, and some of its errors look like a connection that broke."""
    handled = Handled()
    with consuming(bus_url, Q, handled, publisher=publisher):
        for name, properties in UNREADABLE_PROPERTIES.items():
            put_raw(bus_url, "q", name.encode(), properties)
            put_raw(bus_url, "q", b"", properties)
        put(bus_url, "q", b"good")
        until(lambda: b"good" in handled.bodies)
    assert handled.bodies == [body for name in UNREADABLE_PROPERTIES for body in (name.encode(), b"")] + [b"good"]
    assert counted(bus_url, "q") == 0
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def test_messages_that_cannot_even_be_read_do_not_come_again_for_ever(
    bus_url: str, publisher: BusPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    """py-amqp gives up on bytes that are not UTF-8 where AMQP wants a short string, such as a phone's token."""
    handled = Handled()
    queue = push_requests(20.0)
    with consuming(bus_url, queue, handled, publisher=publisher):
        for number in range(3):
            put(bus_url, f"notification.push.apple.{number}", str(number).encode(), exchange="pushes")
            put(bus_url, b"notification.push.apple.\xe9", b"key", exchange="pushes")
        until(lambda: len(handled.bodies) >= 3)
        until(lambda: counted(bus_url, DEAD.name) == 3)
    assert handled.bodies == [b"0", b"1", b"2"]
    assert counted(bus_url, queue.name) == 0
    assert caplog.text.count("unreadable message refused") == 3


def test_what_was_refused_unread_can_be_looked_at(bus_url: str, publisher: BusPublisher) -> None:
    with consuming(bus_url, push_requests(20.0), Handled(), publisher=publisher):
        put(bus_url, b"notification.push.apple.\xe9", b"key", exchange="pushes")
        until(lambda: counted(bus_url, DEAD.name))
    [letter] = DeadLetters(bus_url, publisher).read()
    assert (letter.reason, letter.queue, letter.exchange) == ("rejected", "pusher.push_req", "pushes")
    assert letter.routing_key == "notification.push.apple.\ufffd"
    assert letter.body == b"key"


def test_heartbeats_are_agreed_on_for_consumers_and_not_for_publishers(
    rabbitmq: RabbitMQ, bus_url: str, publisher: BusPublisher
) -> None:
    publisher.publish("", "nowhere", b"")
    with consuming(bus_url, Q, Handled(), publisher=publisher):
        agreed = rabbitmq.eval("lists:sort([T || [{timeout, T}] <- rabbit_networking:connection_info_all([timeout])])")
    assert agreed == f"[0,{bus_consumer.HEARTBEAT_S}]"


@pytest.mark.usefixtures("impatient", "ends")
def test_a_broker_that_vanished_is_noticed_by_its_missing_heartbeats(
    relay: Relay, bus_url: str, publisher: BusPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_consumer, "HEARTBEAT_S", 1)
    handled = Handled()
    with consuming(relay.url, Q, handled, publisher=publisher) as consumer:
        relay.freeze()
        until(lambda: not consumer.consuming.is_set())
        relay.thaw()
        put(bus_url, "q", b"after")
        until(lambda: handled.bodies == [b"after"])


def timed_stop(consumer: BusConsumer) -> float:
    """Stop and return how many seconds that took."""
    began = time.monotonic()
    consumer.stop()
    return time.monotonic() - began


@pytest.mark.usefixtures("ends")
def test_an_idle_consumer_stops_at_once(bus_url: str, publisher: BusPublisher) -> None:
    with consuming(bus_url, Q, Handled(), publisher=publisher) as consumer:
        assert timed_stop(consumer) < 1.5
        assert not consumer.consuming.is_set()
    # Politely: nothing is left that the broker would have to find out about.
    assert counted(bus_url, "q") == 0


@pytest.mark.usefixtures("ends")
def test_a_consumer_whose_broker_is_down_stops_at_once(publisher: BusPublisher) -> None:
    with reserve_port() as holder:
        consumer = BusConsumer(
            f"amqp://127.0.0.1:{port_of(holder)}//", Q, one_by_one(Handled()), publisher=publisher, prefetch=1
        )
        consumer.start()
        assert not consumer.consuming.wait(0.5)
        assert timed_stop(consumer) < 0.5


@pytest.mark.usefixtures("ends")
@pytest.mark.parametrize("when", ["connecting", "consuming"])
def test_a_consumer_whose_broker_is_silent_stops_soon(
    relay: Relay, publisher: BusPublisher, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    # Longer than the farewell, shorter than the test has patience for the thread's own end.
    monkeypatch.setattr(bus_connection, "CONNECT_LIMIT_S", 2.5)
    if when == "connecting":
        relay.freeze()
    consumer = BusConsumer(relay.url, Q, one_by_one(Handled()), publisher=publisher, prefetch=1)
    consumer.start()
    assert consumer.consuming.wait(0.5 if when == "connecting" else 10) == (when == "consuming")
    relay.freeze()
    assert timed_stop(consumer) < 2


@pytest.mark.usefixtures("impatient", "ends")
def test_a_connection_cut_at_any_byte_is_made_again(bus_url: str, relay: Relay, publisher: BusPublisher) -> None:
    """From the first byte of the handshake to the last one of a delivery."""
    probe = Handled()
    put(bus_url, "q", b"probe")
    with consuming(relay.url, Q, probe, publisher=publisher):
        put(bus_url, "q", b"probe" * 20)
        until(lambda: len(probe.deliveries) == 1)
    whole = relay.received[0]
    handled = Handled(then=lambda _: raises(BusUnavailable("not yet"))(_) if relay.cuts_left else None)
    connects: list[int] = []
    relay.cut_after(*range(0, whole, 17))
    put(bus_url, "q", b"first")
    with consuming(relay.url, Q, handled, publisher=publisher, on_connect=lambda: connects.append(relay.cuts_left)):
        put(bus_url, "q", b"second")
        until(lambda: b"second" in handled.bodies, seconds=30)
    assert relay.cuts_left == 0
    assert len(connects) > 5
    assert counted(bus_url, "q") == 0


@pytest.mark.usefixtures("impatient", "ends")
def test_consumers_and_publishers_survive_connections_closed_under_load(
    rabbitmq: RabbitMQ, bus_url: str, publisher: BusPublisher
) -> None:
    """Whatever py-amqp raises in the middle of things, no thread dies of it and nothing confirmed is lost."""
    handled = Handled(
        then=lambda delivery: None if delivery.body[-1] % 5 else raises(MessageInvalid("b", "bad"))(delivery)
    )
    over = threading.Event()
    confirmed: list[bytes] = []

    def keep_publishing() -> None:
        own = BusPublisher(bus_url, "pusher@load")
        for number in range(100_000):
            if over.is_set():
                break
            body = f"{threading.current_thread().name} {number}".encode()
            try:
                own.publish("", "q", body)
            except BusUnavailable:
                continue
            confirmed.append(body)
        own.close()

    first = consuming(bus_url, Q, handled, publisher=publisher)
    second = consuming(bus_url, Q, handled, publisher=publisher)
    with first as one, second as other:
        publishers = [threading.Thread(target=keep_publishing) for _ in range(3)]
        for thread in publishers:
            thread.start()
        for _ in range(15):
            so_far = len(confirmed), len(handled.deliveries)
            until(lambda so_far=so_far: len(confirmed) > so_far[0] + 5 and len(handled.deliveries) > so_far[1] + 5)
            close_connections(rabbitmq)
        over.set()
        for thread in publishers:
            thread.join()
        until(lambda: set(handled.bodies) >= set(confirmed))
        until(lambda: one.consuming.is_set() and other.consuming.is_set())
        # What was delivered or published twice comes to its end as well.
        until(lambda: counted(bus_url, "q") == 0 and unacknowledged(rabbitmq) == 0)
    assert counted(bus_url, "q") == 0
    assert counted(bus_url, DEAD.name) > 0


@pytest.mark.usefixtures("impatient")
def test_a_queue_that_was_deleted_is_declared_again(bus_url: str, publisher: BusPublisher) -> None:
    handled, connects = Handled(), []
    with consuming(
        bus_url, push_requests(20.0), handled, publisher=publisher, on_connect=lambda: connects.append(1)
    ) as consumer:
        with channel_to(bus_url) as channel:
            channel.queue_delete("pusher.push_req")
        until(lambda: len(connects) == 2)
        assert consumer.consuming.wait(10)
        put(bus_url, "notification.push.apple.t", b"after", exchange="pushes")
        until(lambda: handled.bodies == [b"after"])
