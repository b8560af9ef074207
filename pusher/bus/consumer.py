"""One queue, one connection, one thread: takes messages off the bus and never dies of one.

What happens to a message is decided in one place, `_take`: handled, it is acknowledged; not understood, it is kept in
`pusher.dead` and acknowledged; not handed over because a broker is away, it stays on the bus and comes back.
"""

import logging
import random
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kombu import Connection, Consumer, Queue
from kombu.message import Message

from pusher.bus.connection import CONNECTION_ERRORS, connect, drop
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import declare_queue
from pusher.clock import Deadline, utcnow
from pusher.errors import BusUnavailable, MessageInvalid
from pusher.logs import event

log = logging.getLogger("pusher.bus")

#: Seconds between heartbeats: a broker that vanished is noticed after two.
HEARTBEAT_S = 10
#: Seconds after which a waiting consumer looks at its stop event and its heartbeats.
TICK_S = 0.5
#: What a new connection may heal.
RECOVERABLE: tuple[type[Exception], ...] = (*CONNECTION_ERRORS, BusUnavailable)
#: What py-amqp raises about a message that it cannot parse, such as one whose routing key is not UTF-8.
UNREADABLE: tuple[type[Exception], ...] = (ValueError, OverflowError, struct.error)
#: Seconds before the first and, at most, before a later attempt to reconnect.
RECONNECT_S = (0.2, 5.0)
#: Seconds in which a consumer without a message in hand takes its leave of the broker.
FAREWELL_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as the broker delivered it."""

    body: bytes = field(repr=False)
    #: May hold a push token.
    routing_key: str = field(repr=False)
    #: Epoch seconds when it arrived here.
    received_at: float


class BusConsumer:
    """Feeds the messages of one queue to `handle`, in order, each acknowledged when `handle` returned.

    `handle` raises `MessageInvalid` for what it does not understand and `BusUnavailable` for what it could not hand on.
    `on_connect` is called after every connect, before the first message: announcements may have been missed.
    """

    def __init__(
        self,
        url: str,
        queue: Queue,
        handle: Callable[[Delivery], None],
        *,
        publisher: BusPublisher,
        prefetch: int,
        on_connect: Callable[[], None] | None = None,
    ) -> None:
        self._url = url
        self._queue = queue
        self._handle = handle
        self._publisher = publisher
        self._prefetch = prefetch
        self._on_connect = on_connect
        self._stop = threading.Event()
        self._farewell = Deadline.after(0)
        self._in_hand = False
        #: Delivery tag of the last message dealt with on the channel, which counts from 1.
        self._last_tag = 0
        self._thread = threading.Thread(target=self._run, name=f"bus {queue.name}", daemon=True)
        #: Set while the queue is being consumed.
        self.consuming = threading.Event()

    def start(self) -> None:
        """Begin to consume, in a thread of its own; connects, and connects again, by itself."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the thread to end, without waiting for it."""
        if not self._stop.is_set():
            self._farewell = Deadline.after(FAREWELL_S)
            self._stop.set()

    def stop(self) -> None:
        """Finish the message in hand, leave the rest to the broker, and return when the thread ended.

        A thread that waits for a broker which does not answer is left to end by itself, a few seconds later.
        """
        self.request_stop()
        while self._thread.is_alive() and (self._in_hand or not self._farewell.passed):
            self._thread.join(0.05)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._consume()
            except Exception as error:
                # A thread that dies of a surprise leaves a listener that looks well and is deaf.
                if not isinstance(error, RECOVERABLE):
                    log.exception("bus connection failed in an unknown way")
                failures = 1 if self.consuming.is_set() else failures + 1
                first, most = RECONNECT_S
                delay_s = random.uniform(0.5, 1.0) * min(most, first * 2 ** min(failures, 10))  # noqa: S311
                event(
                    log,
                    logging.WARNING,
                    "bus connection lost, reconnecting",
                    queue=self._queue.name,
                    error=str(error),
                    delay_s=delay_s,
                )
                self.consuming.clear()
                self._stop.wait(delay_s)
        self.consuming.clear()

    def _consume(self) -> None:
        connection = connect(self._url, heartbeat_s=HEARTBEAT_S)
        self._last_tag = 0
        try:
            declare_queue(connection, self._queue)
            if self._on_connect is not None:
                self._on_connect()
            channel = connection.channel()
            consumer = Consumer(channel, [self._queue], on_message=self._take, accept=None, auto_declare=False)
            # Kombu unpacks what a header calls compressed. What it cannot unpack is for `handle` to refuse.
            consumer.on_decode_error = lambda message, _: self._take(message)
            consumer.qos(prefetch_count=self._prefetch)
            consumer.consume()
            event(log, logging.INFO, "consuming", queue=self._queue.name, broker=connection.as_uri())
            self.consuming.set()
            self._drain(connection, channel)
            consumer.cancel()
            connection.release()
        finally:
            drop(connection)

    def _drain(self, connection: Connection, channel: Any) -> None:
        next_beat = time.monotonic()
        while not self._stop.is_set():
            if time.monotonic() >= next_beat:
                connection.heartbeat_check()
                next_beat = time.monotonic() + HEARTBEAT_S / 4
            try:
                connection.drain_events(timeout=TICK_S)
            except TimeoutError:
                continue
            except UNREADABLE as error:
                self._refuse_next(channel, error)

    def _refuse_next(self, channel: Any, error: Exception) -> None:
        """Have the broker take back the message that cannot be read, or it would come again for ever."""
        event(log, logging.WARNING, "unreadable message refused", queue=self._queue.name, error=type(error).__name__)
        self._last_tag += 1
        channel.basic_reject(self._last_tag, requeue=False)

    def _take(self, message: Message) -> None:
        # A prefetched message that comes after the stop stays unacknowledged: the broker gives it to another listener.
        if self._stop.is_set():
            return
        self._in_hand = True
        try:
            self._settle(message)
            self._last_tag = message.delivery_tag
        finally:
            self._in_hand = False

    def _settle(self, message: Message) -> None:
        delivery = _delivery(message)
        try:
            self._handle(delivery)
        except MessageInvalid as error:
            self._bury(delivery, message, "message_invalid", str(error))
        except BusUnavailable:
            raise
        except Exception as error:  # One poisonous message must not silence every phone behind it.
            log.exception("message could not be handled, kept in pusher.dead")
            self._bury(delivery, message, "internal_error", type(error).__name__)
        message.ack()

    def _bury(self, delivery: Delivery, message: Message, reason: str, problem: str) -> None:
        event(
            log,
            logging.WARNING,
            "message not understood, kept in pusher.dead",
            queue=self._queue.name,
            reason=reason,
            problem=problem,
            size=len(delivery.body),
        )
        info: Mapping[str, str] = message.delivery_info
        headers = {
            "x-pusher-reason": reason,
            "x-pusher-problem": problem,
            "x-pusher-queue": self._queue.name,
            "x-pusher-exchange": info.get("exchange") or "",
            "x-pusher-routing-key": delivery.routing_key,
            "x-pusher-at": utcnow().isoformat(timespec="seconds"),
        }
        self._publisher.bury(delivery.body, headers, message.content_type or "application/octet-stream")


def body_of(message: Message) -> bytes:
    """Return the body as bytes; py-amqp makes a text of it where a Content-Encoding says so."""
    body = message.body
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)


def _delivery(message: Message) -> Delivery:
    return Delivery(
        body=body_of(message),
        routing_key=message.delivery_info.get("routing_key") or "",
        received_at=time.time(),
    )
