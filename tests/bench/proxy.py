"""A proxy that notes when each answer came, and messages sent at a steady pace."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from kombu import Connection, Consumer, Exchange, Queue
from kombu.message import Message

T = TypeVar("T")


class Answers:
    """Consumes one queue in a thread of its own; notes the monotonic seconds at which each message came, by its key."""

    def __init__(self, url: str, exchange: str, routing_key: str, key: str) -> None:
        self.came: dict[str, float] = {}
        self._key = key
        self._over = threading.Event()
        self._ready = threading.Event()
        self._connection = Connection(url)
        there = Exchange(exchange, type="direct", durable=False, auto_delete=False)
        self._queue = Queue(
            f"bench.{exchange}.{routing_key}", exchange=there, routing_key=routing_key, exclusive=True, auto_delete=True
        )
        self._thread = threading.Thread(target=self._consume)

    def __enter__(self) -> "Answers":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _consume(self) -> None:
        with self._connection as connection:
            consumer = Consumer(connection, [self._queue], on_message=self._take, accept=None, no_ack=True)
            consumer.consume()
            self._ready.set()
            while not self._over.is_set():
                try:
                    connection.drain_events(timeout=0.2)
                except TimeoutError:
                    continue

    def _take(self, message: Message) -> None:
        now = time.monotonic()
        self.came[str(json.loads(message.body)[self._key])] = now


def paced(items: Iterable[T], per_second: float, send: Callable[[T], None]) -> None:
    """Have `send` take each of `items`, so many a second; what is late is sent at once."""
    began = time.monotonic()
    for number, item in enumerate(items):
        ahead_s = began + number / per_second - time.monotonic()
        if ahead_s > 0:
            time.sleep(ahead_s)
        send(item)
