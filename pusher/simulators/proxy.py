"""A stand-in for Kamailio on the bus: asks for pushes, and notes every answer it gets (facts: kazoo.md 2, 4)."""

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from kombu import Queue

from pusher.bus.consumer import BusConsumer
from pusher.bus.delivery import Delivery, one_by_one
from pusher.bus.publisher import BusPublisher
from pusher.bus.tls import TLS
from pusher.bus.topology import PUSHES, TARGETED
from pusher.messages import envelope


@dataclass(eq=False)
class Call:
    """One caller who listens to a ringing tone."""

    call_id: str
    msg_id: str
    registration_token: str
    #: `time.monotonic()` seconds.
    requested_at: float
    #: Every push_resp with this call's Msg-ID, as decoded, and when it came; one too many is a defect.
    answers: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    _answered: threading.Event = field(default_factory=threading.Event)

    def answer(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the first answer, None when none came within `timeout_s` seconds."""
        return self.answers[0][1] if self._answered.wait(timeout_s) else None

    def take(self, answer: dict[str, Any]) -> None:
        """Note `answer`, which arrives now."""
        self.answers.append((time.monotonic(), answer))
        self._answered.set()


class ProxySimulator:
    """Publishes push_req as 2600hz's Kamailio role does, from any thread, and consumes from `targeted`."""

    def __init__(
        self,
        bus_url: str,
        name: str = "kamailio@simulator",
        *,
        publisher: BusPublisher | None = None,
        tls: TLS | None = None,
    ) -> None:
        self.server_id = f"{name}-<{uuid.uuid4().hex[:8]}>-targeted-0"
        self._node = name
        self._publisher = BusPublisher(bus_url, name, tls=tls) if publisher is None else publisher
        self._calls: dict[str, Call] = {}
        queue = Queue(
            self.server_id,
            exchange=TARGETED,
            routing_key=self.server_id,
            durable=False,
            exclusive=True,
            auto_delete=True,
        )
        self._consumer = BusConsumer(
            bus_url, queue, one_by_one(self._on_answer), publisher=self._publisher, prefetch=100, tls=tls
        )

    def start(self, timeout_s: float = 10.0) -> None:
        """Begin to listen for answers; return when nothing can be missed any more."""
        self._consumer.start()
        if not self._consumer.consuming.wait(timeout_s):
            raise TimeoutError(f"the proxy simulator could not consume within {timeout_s} s")

    @property
    def consuming(self) -> bool:
        """Whether answers reach it now."""
        return self._consumer.consuming.is_set()

    def close(self) -> None:
        """Stop and disconnect."""
        self._consumer.stop()
        self._publisher.close()

    def call(self, *, token: str, token_type: str, app_id: str, caller: str = "Bob", **extra: object) -> Call:
        """Ask for a push on behalf of a new call; `extra` message keys win over the usual ones."""
        call = Call(
            call_id=f"{uuid.uuid4().hex[:12]}@127.0.0.1",
            msg_id=str(uuid.uuid4()),
            registration_token=str(uuid.uuid4()),
            requested_at=time.monotonic(),
        )
        self._calls[call.msg_id] = call
        message: dict[str, object] = {
            "Event-Category": "notification",
            "Event-Name": "push_req",
            "Call-ID": call.call_id,
            "Token-ID": token,
            "Token-Type": token_type,
            "Token-App": app_id,
            "Alert-Key": "IC_SIL",
            "Alert-Params": [caller],
            "Sound": "ring.caf",
            "Payload": {
                "call-id": call.call_id,
                "proxy": "sip:127.0.0.1:5060",
                "caller-id-name": caller,
                "registration-token": call.registration_token,
            },
            "App-Name": "kamailio",
            "App-Version": "5.6.3",
            "Node": self._node,
            "Msg-ID": call.msg_id,
            "Server-ID": self.server_id,
        }
        # Kamailio cannot send longer keys: AMQP's limit is 255 bytes.
        routing_key = f"notification.push.{token_type}.{token}".encode()[:255].decode("utf-8", "ignore")
        self._publisher.publish_json(PUSHES, routing_key, message | extra)
        return call

    def forget(self) -> None:
        """Drop the calls so far; answers to them are not noted any more."""
        self._calls = {}

    def _on_answer(self, delivery: Delivery) -> None:
        answer = envelope.decode(delivery.body)
        call = self._calls.get(str(answer.get("Msg-ID")))
        if call is not None:
            call.take(answer)
