"""What Pusher says on Kazoo's bus, each message confirmed by the broker before the caller goes on."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from kombu import Connection, Exchange

from pusher.bus.burial import MAX_KEPT
from pusher.bus.confirmed_publisher import ConfirmedPublisher, Outgoing
from pusher.bus.tls import TLS
from pusher.bus.topology import CONFIGURATION, DEAD, TARGETED, declare_dead, declare_exchanges
from pusher.messages.document_change import DocumentChange
from pusher.messages.push_response import PushResponse

#: The exchange that routes by queue name.
DEFAULT_EXCHANGE = ""


class BusPublisher:
    """Publishes from any thread over one connection, made on first use and made again when it broke."""

    def __init__(self, url: str, node: str, *, tls: TLS | None = None) -> None:
        self._node = node
        self._publisher = ConfirmedPublisher(url, declare_exchanges, tls=tls)

    def respond(self, *responses: PushResponse) -> None:
        """Answer waiting proxies. Raises `BusUnavailable`."""
        self._publisher.publish(
            [_json(TARGETED, response.server_id, response.to_message(self._node)) for response in responses]
        )

    def document_changed(self, change: DocumentChange) -> None:
        """Tell Kazoo and our own processes that a document changed. Raises `BusUnavailable`."""
        self.publish_json(CONFIGURATION, change.routing_key, change.to_message(self._node))

    def bury(self, body: bytes, headers: Mapping[str, str], content_type: str) -> None:
        """Put a message that nobody understands where people can read it, as far as it is kept.

        Raises `BusUnavailable`.
        """
        self.publish(
            DEFAULT_EXCHANGE,
            DEAD.name,
            body[:MAX_KEPT],
            declare=declare_dead,
            content_type=content_type,
            content_encoding="binary",
            headers=dict(headers),
            delivery_mode=2,
        )

    def connect(self) -> None:
        """Connect now, so that the first message does not wait for it. Raises `BusUnavailable`."""
        self._publisher.connect()

    def close(self) -> None:
        """Close the connection; a later message would open another."""
        self._publisher.close()

    def publish_json(self, exchange: Exchange, routing_key: str, message: Mapping[str, Any]) -> None:
        """Publish `message` the way everybody on Kazoo's bus does. Raises `BusUnavailable`."""
        self._publisher.publish([_json(exchange, routing_key, message)])

    def publish(
        self,
        exchange: Exchange | str,
        routing_key: str,
        body: bytes,
        *,
        declare: Callable[[Connection], None] | None = None,
        **properties: object,
    ) -> None:
        """Publish `body` with AMQP `properties`. Raises `BusUnavailable`."""
        name = exchange if isinstance(exchange, str) else exchange.name
        message = Outgoing(exchange=name, routing_key=routing_key, body=body, properties=properties)
        self._publisher.publish([message], declare=declare)


def _json(exchange: Exchange, routing_key: str, message: Mapping[str, Any]) -> Outgoing:
    properties = {"content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 1}
    body = json.dumps(message, ensure_ascii=False).encode()
    return Outgoing(exchange=exchange.name, routing_key=routing_key, body=body, properties=properties)
