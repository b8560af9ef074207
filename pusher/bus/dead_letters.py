"""Reads `pusher.dead`: what nobody could understand, and push requests that nobody took in time."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kombu import Connection
from kombu.message import Message

from pusher.bus import burial
from pusher.bus.connection import CONNECTION_ERRORS, connect, drop
from pusher.bus.consumer import UNREADABLE
from pusher.bus.delivery import body_of
from pusher.bus.publisher import BusPublisher
from pusher.bus.readable_frames import UNREADABLE_HEADER
from pusher.bus.tls import TLS
from pusher.bus.topology import DEAD, declare_dead
from pusher.errors import BusUnavailable

_UNREADABLE_REASON = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message in `pusher.dead`."""

    #: Ten hex digits, derived from what the message is, so that the same message keeps its name.
    letter_id: str
    #: `message_invalid`, `task_invalid`, `internal_error`, `unreadable`, or RabbitMQ's own word such as `expired`.
    reason: str
    #: Which field is wrong, and how; empty for RabbitMQ's reasons.
    problem: str
    #: The queue it came from.
    queue: str
    #: ISO 8601, when it was put here.
    at: str
    exchange: str
    routing_key: str = field(repr=False)
    content_type: str
    body: bytes = field(repr=False)
    #: Bytes that it had when it came, of which `body` may be the beginning.
    size: int

    @property
    def can_return(self) -> bool:
        """Whether it can go back to where it came from: it is whole, and it came by an exchange of the bus."""
        return bool(self.exchange) and len(self.body) == self.size


class DeadLetters:
    """Reads without taking away; what is read goes back to its place when the connection closes."""

    def __init__(self, url: str, publisher: BusPublisher, *, tls: TLS | None = None) -> None:
        self._url = url
        self._tls = tls
        self._publisher = publisher

    def read(self) -> list[DeadLetter]:
        """Return all dead letters, the oldest first. Raises `BusUnavailable`."""
        with self._opened() as messages:
            return [letter for letter, _ in messages]

    def requeue(self, wanted: Callable[[DeadLetter], bool]) -> int:
        """Publish those `wanted` again as they first came, and take them away; return how many.

        Those that cannot return stay. Raises `BusUnavailable`; a letter is only taken away after a queue has its copy.
        """
        with self._opened() as messages:
            chosen = [(letter, message) for letter, message in messages if wanted(letter) and letter.can_return]
            for letter, message in chosen:
                self._publisher.publish(
                    letter.exchange,
                    letter.routing_key,
                    letter.body,
                    content_type=letter.content_type,
                    content_encoding="binary",
                    delivery_mode=1,
                    mandatory=True,
                )
                message.ack()
            return len(chosen)

    @contextmanager
    def _opened(self) -> Iterator[list[tuple[DeadLetter, Message]]]:
        try:
            connection = connect(self._url, heartbeat_s=0, tls=self._tls)
            try:
                yield _fetch(connection)
                connection.release()
            finally:
                drop(connection)
        except (*CONNECTION_ERRORS, *UNREADABLE) as error:
            raise BusUnavailable(f"the dead letters could not be read: {error}") from error


def _fetch(connection: Connection) -> list[tuple[DeadLetter, Message]]:
    declare_dead(connection)
    queue = DEAD(connection.channel())
    found: list[tuple[DeadLetter, Message]] = []
    while True:
        try:
            message = queue.get(no_ack=False, accept=None)
        except UNREADABLE as error:
            # It has a delivery tag like the others, and goes back to its place with them.
            found.append((_unreadable(len(found), error), None))
            continue
        if message is None:
            return found
        found.append((letter_of(message), message))


def _unreadable(place: int, error: Exception) -> DeadLetter:
    """Return what can be said of a letter whose very delivery cannot be read: its routing key is not UTF-8."""
    return DeadLetter(
        letter_id=hashlib.sha256(b"unreadable %d" % place).hexdigest()[:10],
        reason=_UNREADABLE_REASON,
        problem=f"its delivery cannot be read ({type(error).__name__})",
        queue="-",
        at="-",
        exchange="",
        routing_key="",
        content_type="application/octet-stream",
        body=b"",
        size=0,
    )


def letter_of(message: Message) -> DeadLetter:
    """Return what our own headers say, else RabbitMQ's, which it adds to what it moves here by itself."""
    body = body_of(message)
    headers: dict[str, Any] = message.headers
    death = _first(headers.get("x-death"))
    death = death if isinstance(death, dict) else {}
    died_at = death.get("time")
    key = _text(headers.get("x-pusher-routing-key")) or _text(_first(death.get("routing-keys")))
    at = _text(headers.get("x-pusher-at")) or (died_at.isoformat() if isinstance(died_at, datetime) else "-")
    unread = _text(headers.get(UNREADABLE_HEADER))
    name = hashlib.sha256(b"\0".join((body, key.encode("utf-8", "replace"), at.encode("utf-8", "replace"))))
    return DeadLetter(
        letter_id=name.hexdigest()[:10],
        reason=_text(headers.get("x-pusher-reason"))
        or _text(death.get("reason"))
        or (_UNREADABLE_REASON if unread else "unknown"),
        problem=_text(headers.get("x-pusher-problem"))
        or (f"its properties cannot be read ({unread})" if unread else ""),
        queue=_text(headers.get("x-pusher-queue")) or _text(death.get("queue")) or "-",
        at=at,
        exchange=_text(headers.get("x-pusher-exchange")) or _text(death.get("exchange")),
        routing_key=key,
        content_type=message.content_type or "application/octet-stream",
        body=body,
        size=burial.size(headers, body),
    )


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _text(value: object) -> str:
    """Return a header as text; py-amqp leaves it as bytes where it is not UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
