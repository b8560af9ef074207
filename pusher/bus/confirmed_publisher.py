"""Publishes messages that must not be lost: over one connection from any thread, each confirmed by the broker."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kombu import Connection, Producer

from pusher.bus.confirms import Confirms
from pusher.bus.connection import CONNECT_LIMIT_S, CONNECTION_ERRORS, drop, reach
from pusher.bus.tls import TLS
from pusher.errors import BusUnavailable

#: Seconds for which a thread waits for others to publish; a broker that hangs holds each of them up this long.
QUEUE_LIMIT_S = 2 * CONNECT_LIMIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to be published."""

    #: Name of the exchange; empty for the one that routes by queue name.
    exchange: str
    #: May hold a push token.
    routing_key: str = field(repr=False)
    body: bytes = field(repr=False)
    #: AMQP properties and flags, as kombu's `Producer.publish` takes them.
    properties: Mapping[str, Any] = field(repr=False)


class ConfirmedPublisher:
    """Publishes from any thread over one connection, made on first use and made again when it broke.

    `prepare` is called with each new connection, before the first message.
    """

    def __init__(self, url: str, prepare: Callable[[Connection], None], *, tls: TLS | None = None) -> None:
        self._url = url
        self._tls = tls
        self._prepare = prepare
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        self._confirms: Confirms | None = None

    def connect(self) -> None:
        """Connect now, so that the first message does not wait for it. Raises `BusUnavailable`."""
        self.publish([])

    def publish(self, messages: Sequence[Outgoing], *, declare: Callable[[Connection], None] | None = None) -> None:
        """Publish `messages` in order and return when the broker has confirmed them all. Raises `BusUnavailable`.

        A connection that broke while it rested is noticed only by publishing, so all are tried once more, afresh.
        """
        if not self._lock.acquire(timeout=QUEUE_LIMIT_S):
            raise BusUnavailable("the broker is too slow: too many messages wait for it")
        try:
            rested = self._connection is not None
            try:
                self._send(messages, declare)
            except CONNECTION_ERRORS:
                if not rested:
                    raise
                self._send(messages, declare)
        except CONNECTION_ERRORS as error:
            raise BusUnavailable(f"the broker did not take a message: {str(error) or type(error).__name__}") from error
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connection; a later message would open another."""
        with self._lock:
            connection = self._forget()
            if connection is not None:
                connection.release()

    def _send(self, messages: Sequence[Outgoing], declare: Callable[[Connection], None] | None) -> None:
        try:
            connection, producer, confirms = self._connected()
            if declare is not None:
                declare(connection)
            for message in messages:
                confirms.expect()
                producer.publish(
                    message.body,
                    exchange=message.exchange,
                    routing_key=message.routing_key,
                    retry=False,
                    timeout=CONNECT_LIMIT_S,
                    **message.properties,
                )
            confirms.wait(connection, CONNECT_LIMIT_S)
        except BaseException:
            # Whatever it was, a confirmation may still be under way, and the next message would take it for its own.
            broken = self._forget()
            if broken is not None:
                drop(broken)
            raise

    def _connected(self) -> tuple[Connection, Producer, Confirms]:
        if self._connection is None or self._producer is None or self._confirms is None:
            # Without heartbeats: a publisher that rests for hours cannot send them, and relies on TCP keep-alive.
            self._connection = reach(self._url, heartbeat_s=0, tls=self._tls, confirm=False)
            self._prepare(self._connection)
            channel = self._connection.channel()
            self._producer, self._confirms = Producer(channel), Confirms(channel)
        return self._connection, self._producer, self._confirms

    def _forget(self) -> Connection | None:
        connection, self._connection, self._producer, self._confirms = self._connection, None, None, None
        return connection
