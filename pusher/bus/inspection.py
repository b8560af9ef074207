"""Looks at a broker for `pusher check`: passively, save for one test message to the listener and its own reply queue.

Each look has a channel of its own, because the broker closes the channel of a question that it answers with 404 or 406.
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import ChannelError, NotFound, PreconditionFailed
from kombu import Connection, Consumer, Exchange, Producer, Queue

from pusher.bus.connection import CONNECT_LIMIT_S, CONNECTION_ERRORS, drop, reach
from pusher.bus.consumer import UNREADABLE
from pusher.bus.dead_letters import DeadLetter, letter_of
from pusher.bus.delivery import body_of
from pusher.bus.tls import TLS
from pusher.bus.topology import DEAD, EXCHANGES, PUSHES, TARGETED
from pusher.clock import Deadline
from pusher.errors import BusUnavailable, MessageInvalid
from pusher.messages import envelope
from pusher.messages.push_response import PushResponse

#: A Token-Type that no provider serves: the listener answers such a request itself, and no phone is pushed to.
CANARY_TYPE = "pusher-check"
#: AMQP 0-9-1's reply code for a mandatory message that no queue takes.
_NO_ROUTE = 312


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """A queue at this moment."""

    #: Messages that no consumer holds yet.
    messages: int
    consumers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeState:
    """An exchange at this moment."""

    #: `topic` or `direct`, as it should be.
    kind: str
    exists: bool
    #: What the broker says against our type and flags; None for nothing.
    objection: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What became of a test request."""

    #: Whether a queue took it.
    routed: bool
    #: None where nobody answered in time.
    response: PushResponse | None
    #: Milliseconds until the answer, or until nobody waited for it any more.
    ms: float


@contextmanager
def inspecting(url: str, *, tls: TLS | None = None) -> Iterator["Inspection"]:
    """Yield a look at the broker at `url`. Raises `BusUnavailable` where it is not reached."""
    try:
        connection = reach(url, heartbeat_s=0, tls=tls)
    except CONNECTION_ERRORS as error:
        raise BusUnavailable(f"not reached: {error}") from error
    look = Inspection(connection)
    try:
        yield look
        look.take_leave()
    finally:
        drop(connection)


class Inspection:
    """Every look may raise `BusUnavailable`; once the connection broke, the others do so at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._gone: str | None = None
        self._blocked = False
        transport = connection.connection
        # The memory transport has no broker that could run short of anything.
        if hasattr(transport, "on_blocked"):
            transport.on_blocked = self._on_blocked

    @property
    def broker(self) -> str:
        """Name and version of the broker, as it gives them."""
        # The memory transport has no broker that could say anything.
        said: Mapping[str, Any] = getattr(self._connection.connection, "server_properties", {})
        return f"{said.get('product', 'a broker')} {said.get('version', '')}".strip()

    def exchange(self, name: str) -> ExchangeState:
        """Return how exchange `name` of ours stands."""
        ours = next(each for each in EXCHANGES if each.name == name)
        exists, objection = True, None
        with self._channel() as channel:
            try:
                # Whether it exists; a passive question is answered whatever the flags.
                ours(channel).declare(passive=True)
                ours(channel).declare()
            except NotFound:
                exists = False
            except PreconditionFailed as error:
                objection = str(error.reply_text)
        return ExchangeState(kind=ours.type, exists=exists, objection=objection)

    def queue(self, name: str) -> QueueState | None:
        """Return the state of queue `name`, None where there is no such queue."""
        with self._channel() as channel:
            try:
                found = channel.queue_declare(name, passive=True)
            except NotFound:
                return None
        return QueueState(messages=found.message_count, consumers=found.consumer_count)

    def dead_letters(self, count: int, deadline: Deadline) -> list[DeadLetter]:
        """Return the `count` oldest dead letters, fewer where `deadline` passes first; all stay where they are."""
        letters: list[DeadLetter] = []
        with self._channel() as channel:
            consumer = Consumer(
                channel,
                [Queue(DEAD.name)],
                on_message=lambda message: letters.append(letter_of(message)),
                accept=None,
                auto_declare=False,
            )
            # Kombu unpacks what a header calls compressed, and cannot always.
            consumer.on_decode_error = lambda message, _: letters.append(letter_of(message))
            consumer.consume()
            while len(letters) < count and self._drain(deadline):
                pass
        return letters

    def canary(self, node: str, patience_s: float) -> Canary:
        """Have the listener refuse a request, and return its answer within `patience_s` seconds."""
        name = f"pusher.check.{uuid.uuid4().hex}"
        answers: list[bytes] = []
        with self._channel() as channel:
            queue = Queue(name, durable=False, exclusive=True, auto_delete=True)(channel)
            queue.queue_declare()
            queue.bind_to(TARGETED.name, routing_key=name)
            Consumer(
                channel,
                [queue],
                on_message=lambda message: answers.append(body_of(message)),
                accept=None,
                auto_declare=False,
                no_ack=True,
            ).consume()
            deadline, began = Deadline.after(patience_s), time.monotonic()
            routed = _routed(channel, PUSHES, f"notification.push.{CANARY_TYPE}.{name}", _canary_request(node, name))
            while routed and not answers and self._drain(deadline):
                pass
        return Canary(routed=routed, response=_response(answers, name), ms=1000 * (time.monotonic() - began))

    def is_heard(self, server_id: str, node: str) -> bool:
        """Tell whether any queue gets what is sent to `server_id`; to whoever gets it, this is no answer to anything.

        Kamailio and Kazoo match by Msg-ID and drop the rest (facts: kazoo.md 2); the event's name is nobody's, so that
        no route for push_resp runs.
        """
        with self._channel() as channel:
            return _routed(channel, TARGETED, server_id, envelope.headers("pusher", "check", node))

    def _on_blocked(self, _: str) -> None:
        self._blocked = True

    def take_leave(self) -> None:
        """Close the connection in order, or RabbitMQ's log would tell of a client that vanished."""
        if self._gone is None:
            with suppress(*CONNECTION_ERRORS):
                self._connection.release()

    def _drain(self, deadline: Deadline) -> bool:
        """Wait for one more message, one that cannot be read or not; False where none came before `deadline`."""
        if deadline.passed:
            return False
        try:
            self._connection.drain_events(timeout=deadline.remaining_s())
        except TimeoutError:
            return False
        except UNREADABLE:
            # Those behind it can be.
            pass
        return True

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        if self._gone is not None:
            raise BusUnavailable(self._gone)
        try:
            with self._connection.channel() as channel:
                yield channel
        except ChannelError as error:
            # The connection goes on: only this question was refused.
            raise BusUnavailable(str(error.reply_text or error)) from error
        except CONNECTION_ERRORS as error:
            self._gone = f"the connection broke: {str(error) or type(error).__name__}"
            if self._blocked:
                # It stops reading from whoever publishes, and says no more than that.
                self._gone = "the broker takes no messages, it is short of memory or disk: rabbitmqctl status tells"
            raise BusUnavailable(self._gone) from error


def _routed(channel: Any, exchange: Exchange, routing_key: str, message: Mapping[str, Any]) -> bool:
    """Publish `message` and return whether a queue took it."""
    try:
        Producer(channel).publish(
            dict(message),
            exchange=exchange.name,
            routing_key=routing_key,
            serializer="json",
            mandatory=True,
            delivery_mode=1,
            retry=False,
            timeout=CONNECT_LIMIT_S,
            confirm_timeout=CONNECT_LIMIT_S,
        )
    except ChannelError as error:
        if error.reply_code != _NO_ROUTE:
            raise
        return False
    return True


def _canary_request(node: str, name: str) -> dict[str, Any]:
    call = {"Token-ID": name, "Token-Type": CANARY_TYPE, "Token-App": CANARY_TYPE, "Call-ID": name}
    return envelope.headers("notification", "push_req", node, name) | call | {"Server-ID": name}


def _response(answers: list[bytes], name: str) -> PushResponse | None:
    for body in answers:
        try:
            return PushResponse.from_message(envelope.decode(body), name)
        except MessageInvalid:
            return None
    return None
