"""What a test says to the broker, and asks it, past the code under test."""

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import kombu
from amqp.basic_message import Message
from kombu import Queue

from pusher.bus.consumer import BusConsumer
from pusher.bus.delivery import Delivery, one_by_one
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD
from tests.support.rabbitmq import RabbitMQ


@contextmanager
def channel_to(url: str) -> Iterator[Any]:
    """Yield a py-amqp channel of a connection of its own."""
    with kombu.Connection(url, connect_timeout=5, transport_options={"confirm_publish": True}) as connection:
        yield connection.channel()


def put(
    url: str, routing_key: str | bytes, body: bytes | str = b"{}", exchange: str = "", **properties: object
) -> None:
    """Publish with exactly these AMQP properties."""
    with channel_to(url) as channel:
        channel.basic_publish(Message(body, **properties), exchange, routing_key)


class _Raw(Message):
    """A message whose properties are bytes: their flags and their values."""

    def __init__(self, body: bytes, written: bytes) -> None:
        super().__init__(body)
        self._written = written

    def _serialize_properties(self) -> bytes:
        return self._written


def _headers(entry: bytes) -> bytes:
    """Return properties that are headers with one `entry`: its type and its value."""
    table = b"\x01x" + entry
    return struct.pack(">HI", 1 << 13, len(table)) + table


def _nested(levels: int) -> bytes:
    entry = b"t\x01"
    for _ in range(levels):
        table = b"\x01x" + entry
        entry = b"F" + struct.pack(">I", len(table)) + table
    return entry


#: Properties that RabbitMQ passes on and py-amqp cannot parse.
UNREADABLE_PROPERTIES = {
    "no UTF-8": struct.pack(">H", 1 << 15) + b"\x01\xe9",
    "a time that no calendar has": _headers(b"T" + struct.pack(">Q", 2**63)),
    "a time that looks like a system error": _headers(b"T" + struct.pack(">Q", 2**57)),
    "tables in tables": _headers(_nested(5000)),
}


def put_raw(url: str, routing_key: str, body: bytes, properties: bytes, exchange: str = "") -> None:
    """Publish with these bytes as properties."""
    with channel_to(url) as channel:
        channel.basic_publish(_Raw(body, properties), exchange, routing_key)


def counted(url: str, queue: str) -> int:
    """Return how many messages wait in `queue`, which must exist; those in a consumer's hands are not counted."""
    with channel_to(url) as channel:
        return int(channel.queue_declare(queue, passive=True).message_count)


def taken(url: str, queue: str = DEAD.name) -> Any:
    """Take a message out of `queue` and return it, None where there is none."""
    with channel_to(url) as channel:
        return channel.basic_get(queue, no_ack=True)


def close_connections(rabbitmq: RabbitMQ) -> None:
    """Close every connection, while some of them close by themselves."""
    close = 'catch rabbit_networking:close_connection(C, "by a test")'
    rabbitmq.eval(f"[{close} || C <- rabbit_networking:connections()], ok")


def plain(name: str) -> Queue:
    """Return a durable queue that only its name leads to."""
    return Queue(name, durable=True)


class Handled:
    """A consumer's `handle` that keeps what it was given; `then`, where set, is called with it."""

    def __init__(self, then: Callable[[Delivery], None] | None = None) -> None:
        self.then = then
        self.deliveries: list[Delivery] = []
        self.threads: set[threading.Thread] = set()

    def __call__(self, delivery: Delivery) -> None:
        self.threads.add(threading.current_thread())
        self.deliveries.append(delivery)
        if self.then is not None:
            self.then(delivery)

    @property
    def bodies(self) -> list[bytes]:
        """The bodies in the order in which they came."""
        return [delivery.body for delivery in self.deliveries]


@contextmanager
def consuming(
    url: str,
    queue: Queue,
    handle: Callable[[Delivery], None],
    *,
    publisher: BusPublisher,
    prefetch: int = 10,
    on_connect: Callable[[], None] | None = None,
) -> Iterator[BusConsumer]:
    """Yield a consumer that consumes, stopped afterwards."""
    consumer = BusConsumer(
        url, queue, one_by_one(handle), publisher=publisher, prefetch=prefetch, on_connect=on_connect
    )
    consumer.start()
    try:
        assert consumer.consuming.wait(10), "the consumer did not begin to consume"
        yield consumer
    finally:
        consumer.stop()
