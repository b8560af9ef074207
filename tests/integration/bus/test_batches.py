"""Messages that arrived together are handled together, and each comes to the end that it would come to alone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from kombu import Connection

from pusher.bus import consumer as bus_consumer
from pusher.bus.consumer import BusConsumer
from pusher.bus.delivery import Delivery
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, declare_dead, push_requests
from pusher.errors import BusUnavailable, MessageInvalid
from tests.integration.bus.broker import channel_to, counted, plain, put, taken
from tests.support.until import until

Q = plain("q")


class Batches:
    """A `handle` that keeps the bodies of each batch; `then`, where set, is called with them."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.then: Callable[[list[bytes]], None] = lambda bodies: None
        self.invalid: set[bytes] = set()

    def __call__(self, deliveries: Sequence[Delivery]) -> list[MessageInvalid | None]:
        bodies = [delivery.body for delivery in deliveries]
        self.batches.append(bodies)
        self.then(bodies)
        return [MessageInvalid("body", "is told to be bad") if body in self.invalid else None for body in bodies]

    @property
    def bodies(self) -> list[bytes]:
        """All bodies in the order in which they came."""
        return [body for batch in self.batches for body in batch]


@contextmanager
def consuming(
    url: str, handle: Batches, publisher: BusPublisher, *, batch: int = 8, gather_s: float = 0.0
) -> Iterator[BusConsumer]:
    """Yield a consumer of `q` that consumes, stopped afterwards."""
    consumer = BusConsumer(url, Q, handle, publisher=publisher, prefetch=50, batch=batch, gather_s=gather_s)
    consumer.start()
    try:
        assert consumer.consuming.wait(10)
        yield consumer
    finally:
        consumer.stop()


def fill(url: str, count: int) -> list[bytes]:
    """Put so many messages into `q` before anybody consumes, and return their bodies."""
    bodies = [str(number).encode() for number in range(count)]
    with Connection(url) as connection:
        declare_dead(connection)
    with channel_to(url) as channel:
        channel.queue_declare("q", durable=True, auto_delete=False)
        for body in bodies:
            channel.basic_publish(channel.prepare_message(body), "", "q")
    return bodies


def test_what_has_arrived_comes_in_batches_of_bounded_size_and_in_order(bus_url: str, publisher: BusPublisher) -> None:
    bodies = fill(bus_url, 100)
    handle = Batches()
    with consuming(bus_url, handle, publisher):
        until(lambda: len(handle.bodies) >= 100)
    assert handle.bodies == bodies
    assert max(map(len, handle.batches)) == 8
    assert len(handle.batches) < 50
    assert counted(bus_url, "q") == 0


def test_a_message_that_comes_alone_waits_for_no_other(bus_url: str, publisher: BusPublisher) -> None:
    handle = Batches()
    with consuming(bus_url, handle, publisher):
        for number in range(3):
            put(bus_url, "q", str(number).encode())
            until(lambda number=number: len(handle.bodies) == number + 1, seconds=2)
    assert handle.batches == [[b"0"], [b"1"], [b"2"]]


def test_messages_that_come_faster_than_they_are_handled_are_gathered_until_the_flood_is_over(
    bus_url: str, publisher: BusPublisher
) -> None:
    gather_s, go, handle = 1.0, threading.Event(), Batches()
    handle.then = lambda _: go.wait(10)

    def put_when_none_waits(body: bytes) -> None:
        until(lambda: counted(bus_url, "q") == 0)
        put(bus_url, "q", body)

    with consuming(bus_url, handle, publisher, gather_s=gather_s):
        put(bus_url, "q", b"0")
        until(lambda: handle.batches)
        for body in (b"1", b"2"):
            put(bus_url, "q", body)
        go.set()
        until(lambda: len(handle.batches) == 2)
        for body in (b"3", b"4", b"5"):
            put_when_none_waits(body)
        until(lambda: len(handle.bodies) == 6)
        assert handle.batches == [[b"0"], [b"1", b"2"], [b"3", b"4", b"5"]]
        put(bus_url, "q", b"alone")
        until(lambda: handle.batches[-1] == [b"alone"])
        put(bus_url, "q", b"waits for nothing")
        until(lambda: handle.batches[-1] == [b"waits for nothing"], seconds=gather_s / 2)


def test_of_a_batch_only_what_is_not_understood_is_kept(bus_url: str, publisher: BusPublisher) -> None:
    bodies = fill(bus_url, 20)
    handle = Batches()
    handle.invalid = {b"3", b"17"}
    with consuming(bus_url, handle, publisher):
        until(lambda: counted(bus_url, DEAD.name) == 2)
        until(lambda: len(handle.bodies) == 20)
    assert handle.bodies == bodies
    assert [taken(bus_url).body for _ in range(2)] == [b"3", b"17"]
    assert counted(bus_url, "q") == 0


def test_a_poisonous_message_is_kept_alone_and_the_rest_of_its_batch_is_handled(
    bus_url: str, publisher: BusPublisher
) -> None:
    fill(bus_url, 8)
    handle = Batches()

    def fail_on_five(bodies: list[bytes]) -> None:
        if b"5" in bodies:
            raise ZeroDivisionError("secret")

    handle.then = fail_on_five
    with consuming(bus_url, handle, publisher):
        until(lambda: counted(bus_url, DEAD.name) == 1)
        until(lambda: [b"7"] in handle.batches)
    letter = taken(bus_url)
    assert (letter.body, letter.properties["application_headers"]["x-pusher-reason"]) == (b"5", "internal_error")
    handled = {body for batch in handle.batches if b"5" not in batch for body in batch}
    assert handled == {str(number).encode() for number in range(8)} - {b"5"}
    assert counted(bus_url, "q") == 0


def test_a_batch_that_could_not_be_handed_on_comes_back_whole(
    bus_url: str, publisher: BusPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_consumer, "RECONNECT_S", (0.001, 0.01))
    bodies = fill(bus_url, 8)
    handle = Batches()
    failures = iter([BusUnavailable("told to fail")] * 2)

    def fail_twice(_: list[bytes]) -> None:
        if (error := next(failures, None)) is not None:
            raise error

    handle.then = fail_twice
    with consuming(bus_url, handle, publisher):
        until(lambda: counted(bus_url, "q") == 0 and handle.bodies[-1:] == [b"7"])
        until(lambda: handle.bodies[-8:] == bodies)
    assert counted(bus_url, "q") == 0


def test_a_message_that_cannot_be_read_does_not_spoil_the_batch_it_comes_in(
    bus_url: str, publisher: BusPublisher
) -> None:
    queue = push_requests(20.0)
    handle = Batches()
    first = BusConsumer(bus_url, queue, handle, publisher=publisher, prefetch=50, batch=8)
    first.start()
    assert first.consuming.wait(10)
    go = threading.Event()
    handle.then = lambda _: go.wait(10)
    put(bus_url, "notification.push.apple.0", b"0", exchange="pushes")
    until(lambda: handle.batches)
    # These arrive together, while the first one is in hand.
    put(bus_url, "notification.push.apple.1", b"1", exchange="pushes")
    put(bus_url, b"notification.push.apple.\xe9", b"key", exchange="pushes")
    put(bus_url, "notification.push.apple.2", b"2", exchange="pushes")
    go.set()
    until(lambda: len(handle.bodies) == 3)
    until(lambda: counted(bus_url, DEAD.name) == 1)
    first.stop()
    assert handle.bodies == [b"0", b"1", b"2"]
    assert taken(bus_url).body == b"key"
    assert counted(bus_url, queue.name) == 0


def test_stopping_finishes_the_batch_in_hand_and_leaves_the_rest_to_others(
    bus_url: str, publisher: BusPublisher
) -> None:
    fill(bus_url, 20)
    go = threading.Event()
    handle = Batches()
    handle.then = lambda _: go.wait(10)
    with consuming(bus_url, handle, publisher, batch=4) as consumer:
        until(lambda: handle.batches)
        consumer.request_stop()
        go.set()
    assert len(handle.batches) == 1
    until(lambda: counted(bus_url, "q") == 20 - len(handle.bodies))
