"""Publishes as Kamailio does, and knows what became of each message: confirmed and in a queue, given back, or unknown.

Two promises that Kamailio does without, so that the ledger can tell a loss on the bus from a loss of ours.
"""

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import AMQPError
from kombu import Connection, Exchange, Producer

from pusher.bus.connection import CONNECTION_ERRORS, connect, drop
from pusher.bus.publisher import BusPublisher
from tests.soak.record import Fate, Registration

_PUSH_TOKEN = re.compile(r";pn-tok=([^;>]+)")
_REGISTRATION_TOKEN = re.compile(r";x-token-reg=([^;>]+)")
#: AMQP's reply code for a message that no queue took.
_NO_ROUTE = 312


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A push_req that was published."""

    #: Epoch seconds.
    at: float
    fate: Fate


class WatchedPublisher(BusPublisher):
    """What phones and proxies of the soak publish with. Raises nothing about messages of theirs."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "kamailio@simulator")
        self._url = url
        self._watched = threading.Lock()
        self._link: Connection | None = None
        #: By Msg-ID.
        self.publications: dict[str, Publication] = {}
        #: In order.
        self.registrations: list[Registration] = []
        #: By device, the token that it registered with last.
        self.said: dict[str, str] = {}

    def publish_json(self, exchange: Exchange, routing_key: str, message: Mapping[str, Any]) -> None:
        """Publish `message` and note what became of it."""
        body = json.dumps(message, ensure_ascii=False).encode()
        with self._watched:
            at = time.time()
            fate = self._send(exchange.name, routing_key, body)
            if message.get("Event-Name") == "reg_success":
                registration = _registration(message, at, fate)
                self.registrations.append(registration)
                self.said[registration.device] = registration.token
            else:
                self.publications[str(message["Msg-ID"])] = Publication(at=at, fate=fate)

    def say(self, exchange: Exchange, routing_key: str, body: bytes) -> Fate:
        """Publish bytes that may be no message at all."""
        with self._watched:
            return self._send(exchange.name, routing_key, body)

    def close(self) -> None:
        """Close both connections."""
        super().close()
        with self._watched:
            self._leave()

    def _send(self, exchange: str, routing_key: str, body: bytes) -> Fate:
        try:
            if self._link is None:
                self._link = connect(self._url, heartbeat_s=0)
            # kombu's default channel waits for the broker's word after each message (`confirm_publish`).
            Producer(self._link.default_channel).publish(
                body,
                exchange=exchange,
                routing_key=routing_key,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=1,
                mandatory=True,
                retry=False,
            )
        except CONNECTION_ERRORS as error:
            self._leave()
            given_back = isinstance(error, AMQPError) and error.reply_code == _NO_ROUTE
            return Fate.RETURNED if given_back else Fate.UNKNOWN
        return Fate.TAKEN

    def _leave(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            drop(link)


def _registration(message: Mapping[str, Any], at: float, fate: Fate) -> Registration:
    contact = str(message["Contact"])
    token, registration_token = _PUSH_TOKEN.search(contact), _REGISTRATION_TOKEN.search(contact)
    assert token is not None, "a phone of the soak registers with its push token"
    return Registration(
        at=at,
        fate=fate,
        device=str(message["Custom-Channel-Vars"]["Authorizing-ID"]),
        token=token[1],
        registration_token=None if registration_token is None else registration_token[1],
    )
