"""One queue, one connection, one thread: takes messages off the bus and never dies of one.

`settler.py` decides what happens to a message that was taken.
"""

import logging
import random
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from kombu import Connection, Consumer, Queue
from kombu.message import Message

from pusher.bus.connection import CONNECTION_ERRORS, connect, drop, readable
from pusher.bus.delivery import Handle
from pusher.bus.publisher import BusPublisher
from pusher.bus.settler import Settler
from pusher.bus.tls import TLS
from pusher.bus.topology import declare_queue
from pusher.clock import Deadline
from pusher.errors import BusUnavailable
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
#: Seconds that the rest of a message has to arrive while others are in hand.
REST_S = 0.005
#: Seconds before the first and, at most, before a later attempt to reconnect.
RECONNECT_S = (0.2, 5.0)
#: Seconds in which a consumer without a message in hand takes its leave of the broker.
FAREWELL_S = 1.5


class BusConsumer:
    """Feeds the messages of one queue to `handle`, in order, and acknowledges them when it returned.

    What has arrived already is handed over together, at most `batch` messages. The first after a pause waits for no
    more to come; while they come faster than they are handled, each batch is gathered for `gather_s` seconds.
    `on_connect` is called after every connect, before the first message: announcements may have been missed.
    """

    def __init__(
        self,
        url: str,
        queue: Queue,
        handle: Handle,
        *,
        publisher: BusPublisher,
        prefetch: int,
        batch: int = 1,
        gather_s: float = 0.0,
        tls: TLS | None = None,
        on_connect: Callable[[], None] | None = None,
    ) -> None:
        self._url = url
        self._tls = tls
        self._queue = queue
        self._prefetch = prefetch
        self._batch = batch
        self._gather_s = gather_s
        #: How many messages the last batch had.
        self._last_batch = 0
        self._on_connect = on_connect
        self._settler = Settler(queue.name, handle, publisher)
        self._stop = threading.Event()
        self._farewell = Deadline.after(0)
        self._in_hand = False
        #: Messages that arrived and are not settled.
        self._arrived: list[Message] = []
        #: Delivery tag of the last message that arrived on the channel, which counts from 1.
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
        connection = connect(self._url, heartbeat_s=HEARTBEAT_S, tls=self._tls)
        self._last_tag, self._arrived = 0, []
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
            if not self._arrived:
                self._receive(connection, channel, TICK_S)
            self._gather(connection, channel)
            self._settle()

    def _gather(self, connection: Connection, channel: Any) -> None:
        """Take what else has arrived. Under a flood, wait a moment for more: a batch costs what it costs, and thousands
        of small ones a second would take the time that calls need.
        """
        deadline = Deadline.after(self._gather_s if self._last_batch > 1 else 0.0)
        while self._arrived and len(self._arrived) < self._batch:
            if readable(connection):
                self._receive(connection, channel, REST_S)
            elif deadline.passed:
                break
            else:
                self._receive(connection, channel, max(0.001, deadline.remaining_s()))
        self._last_batch = len(self._arrived)

    def _receive(self, connection: Connection, channel: Any, timeout_s: float) -> None:
        """Wait for one message at most."""
        try:
            connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return
        except UNREADABLE as error:
            self._refuse_next(channel, error)

    def _refuse_next(self, channel: Any, error: Exception) -> None:
        """Have the broker take back the message that cannot be read, or it would come again for ever."""
        event(log, logging.WARNING, "unreadable message refused", queue=self._queue.name, error=type(error).__name__)
        self._last_tag += 1
        channel.basic_reject(self._last_tag, requeue=False)

    def _take(self, message: Message) -> None:
        self._last_tag = message.delivery_tag
        self._arrived.append(message)

    def _settle(self) -> None:
        messages, self._arrived = self._arrived, []
        # A prefetched message that comes after the stop stays unacknowledged: the broker gives it to another listener.
        if not messages or self._stop.is_set():
            return
        self._in_hand = True
        try:
            self._settler.settle(messages)
        finally:
            self._in_hand = False
