"""What Pusher says on Kazoo's bus, each message confirmed by the broker before the caller goes on."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from kombu import Connection, Exchange, Producer

from pusher.bus.connection import CONNECT_LIMIT_S, CONNECTION_ERRORS, connect, drop
from pusher.bus.topology import CONFIGURATION, DEAD, TARGETED, declare_dead
from pusher.errors import BusUnavailable
from pusher.messages.document_change import DocumentChange
from pusher.messages.push_response import PushResponse

#: The exchange that routes by queue name.
DEFAULT_EXCHANGE = ""
#: Seconds for which a thread waits for others to publish; a broker that hangs holds each of them up this long.
QUEUE_LIMIT_S = 2 * CONNECT_LIMIT_S


class BusPublisher:
    """Publishes from any thread over one connection, made on first use and made again when it broke."""

    def __init__(self, url: str, node: str) -> None:
        self._url = url
        self._node = node
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def respond(self, response: PushResponse) -> None:
        """Answer a waiting proxy. Raises `BusUnavailable`."""
        self.publish_json(TARGETED, response.server_id, response.to_message(self._node))

    def document_changed(self, change: DocumentChange) -> None:
        """Tell Kazoo and our own processes that a document changed. Raises `BusUnavailable`."""
        self.publish_json(CONFIGURATION, change.routing_key, change.to_message(self._node))

    def bury(self, body: bytes, headers: Mapping[str, str], content_type: str) -> None:
        """Put a message that nobody understands where people can read it. Raises `BusUnavailable`."""
        self.publish(
            DEFAULT_EXCHANGE,
            DEAD.name,
            body,
            declare=declare_dead,
            content_type=content_type,
            content_encoding="binary",
            headers=dict(headers),
            delivery_mode=2,
        )

    def close(self) -> None:
        """Close the connection; a later message would open another."""
        with self._lock:
            connection, self._connection, self._producer = self._connection, None, None
            if connection is not None:
                connection.release()

    def publish_json(self, exchange: Exchange, routing_key: str, message: Mapping[str, Any]) -> None:
        """Publish `message` the way everybody on Kazoo's bus does. Raises `BusUnavailable`."""
        body = json.dumps(message, ensure_ascii=False).encode()
        self.publish(
            exchange,
            routing_key,
            body,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=1,
        )

    def publish(
        self,
        exchange: Exchange | str,
        routing_key: str,
        body: bytes,
        *,
        declare: Callable[[Connection], None] | None = None,
        **properties: object,
    ) -> None:
        """Publish `body` with AMQP `properties` and wait for the broker's confirmation. Raises `BusUnavailable`.

        A connection that broke while it rested is noticed only by publishing, so it is tried once more, afresh.
        """
        options = {"exchange": exchange, "routing_key": routing_key, **properties}
        if not self._lock.acquire(timeout=QUEUE_LIMIT_S):
            raise BusUnavailable("the broker is too slow: too many messages wait for it")
        try:
            rested = self._connection is not None
            try:
                self._send(body, options, declare)
            except CONNECTION_ERRORS:
                if not rested:
                    raise
                self._send(body, options, declare)
        except CONNECTION_ERRORS as error:
            raise BusUnavailable(f"the broker did not take a message: {str(error) or type(error).__name__}") from error
        finally:
            self._lock.release()

    def _send(self, body: bytes, options: Mapping[str, object], declare: Callable[[Connection], None] | None) -> None:
        try:
            connection, producer = self._connected()
            if declare is not None:
                declare(connection)
            producer.publish(body, retry=False, timeout=CONNECT_LIMIT_S, confirm_timeout=CONNECT_LIMIT_S, **options)
        except BaseException:
            # Whatever it was, a confirmation may still be under way, and the next message would take it for its own.
            self._drop()
            raise

    def _connected(self) -> tuple[Connection, Producer]:
        if self._connection is None or self._producer is None:
            self._connection = connect(self._url, heartbeat_s=0)
            self._producer = Producer(self._connection.channel())
        return self._connection, self._producer

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            drop(connection)
