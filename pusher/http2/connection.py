"""One HTTP/2 connection: many threads send requests on it, its own thread dials, reads and keeps the limits.

Requests wait in line until the connection is ready and a stream is free; each caller waits until its own deadline
and no longer. When the connection ends, every caller learns whether the peer may have seen its request.
"""

import logging
import threading
import time
from collections.abc import Sequence

from pusher.clock import Deadline
from pusher.errors import NotProcessed, OutcomeUnknown, TransportError
from pusher.http2.call import Call, ConnectFailed
from pusher.http2.dial import Dialer
from pusher.http2.events import Answered, Event, GoneAway
from pusher.http2.exchange import Exchange
from pusher.http2.fields import Field
from pusher.http2.request import Response
from pusher.http2.time_limits import NO_NEW_REQUESTS, NOT_READY, SILENT, STILL_BUSY, TimeLimits
from pusher.http2.tls_channel import TLSChannel
from pusher.http2.wakeup import Wakeup

logger = logging.getLogger("pusher.http2")

#: From the start of the dial to the peer's SETTINGS.
CONNECT_LIMIT_S = 10.0
#: After so much silence it is asked for a sign of life before it carries a request, and by `keep_alive`.
PROBE_AFTER_S, IDLE_PROBE_S, PROBE_LIMIT_S = 3600.0, 900.0, 1.0
#: A connection that takes no new requests ends at the latest then, whatever its last ones still wait for.
DRAIN_LIMIT_S = 120.0


class HTTP2Connection:
    """Starts to dial when it is made, or raises `OSError` or `RuntimeError`. Thread safe."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._authority = dialer.origin.authority
        self._lock = threading.Lock()
        self._wakeup = Wakeup()
        self._exchange = Exchange()
        self._channel: TLSChannel | None = None
        #: Requests in line (a dict keeps the order and forgets one in the middle at no cost), and those sent.
        self._waiting: dict[Call, None] = {}
        self._calls: dict[int, Call] = {}
        self._ended: str | None = None
        #: What a request that finds the connection closed, or waits in line, is told; when it failed to come about.
        self._refusal: type[NotProcessed] = NotProcessed
        self.failed_at = float("-inf")
        self._heard_at = 0.0
        self._limits = TimeLimits()
        self._ready_by = Deadline(self._limits.set(NOT_READY, CONNECT_LIMIT_S))
        self._thread = threading.Thread(target=self._run, name=f"http2 {self._authority}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # Without the thread nobody else would release it.
            self._wakeup.close()
            raise

    @property
    def accepting(self) -> bool:
        """Tell whether new requests may be sent here."""
        return self._exchange.accepting

    @property
    def ended(self) -> bool:
        """Tell whether the connection is closed."""
        return self._ended is not None

    @property
    def in_flight(self) -> int:
        """Return how many requests have a stream."""
        return len(self._calls)

    def send(self, fields: Sequence[Field], body: bytes, deadline: Deadline) -> Response:
        """Return the response by `deadline`. Raises `NotProcessed`, `ConnectFailed` of it, or `OutcomeUnknown`."""
        call = Call(fields, body)
        with self._lock:
            if not self._exchange.accepting:
                raise self._refusal(f"{self._authority}: {self._ended or NO_NEW_REQUESTS}")
            self._waiting[call] = None
            self._probe_after(PROBE_AFTER_S)
            self._open_streams()
            chunk = self._claim()
        self._send(chunk)
        result = call.wait(deadline) or self._give_up(call)
        if isinstance(result, TransportError):
            raise result
        return result

    def _send(self, chunk: bytearray) -> None:
        if self._channel is not None:
            self._channel.send(chunk)

    def _give_up(self, call: Call) -> Response | TransportError:
        """Return what came at the last moment, or the error for a request whose deadline passed."""
        with self._lock:
            if (late := call.wait(Deadline(0.0))) is not None:
                return late
            if call in self._waiting:
                del self._waiting[call]
                problem = "no stream was free" if self._exchange.ready else "it was not connected"
                return NotProcessed(f"{self._authority}: {problem} before the deadline")
            del self._calls[call.stream_id]
            self._exchange.cancel(call.stream_id)
            if self._heard_at < max(call.sent_at, time.monotonic() - PROBE_LIMIT_S):
                # Nobody was heard: perhaps the path is dead, and the next requests must not all find out.
                self._probe()
            self._open_streams()
            chunk = self._claim()
        self._send(chunk)
        return OutcomeUnknown(f"{self._authority}: no answer before the deadline")

    def keep_alive(self) -> bool:
        """Have a peer that was silent for long show that it lives; tell whether a request would be sent at once."""
        with self._lock:
            self._probe_after(IDLE_PROBE_S)
            return self._exchange.accepting and self._exchange.ready

    def retire(self) -> None:
        """Take no new requests, and end when those that were sent are answered."""
        with self._lock:
            self._drain()
            self._wakeup.set()

    def close(self) -> None:
        """End at once."""
        with self._lock:
            self._exchange.accepting = False
            self._wakeup.cancel()

    def join(self) -> None:
        """Wait until the connection's thread ended, which only a hanging DNS look-up delays."""
        self._thread.join(CONNECT_LIMIT_S)

    # Called with the lock held, by callers and by the connection's thread.

    def _open_streams(self) -> None:
        """Give the requests in line their streams, as many as may be open; none while in doubt about the peer."""
        if self._channel is None or SILENT in self._limits:
            return
        while self._waiting and self._exchange.can_open:
            call = next(iter(self._waiting))
            del self._waiting[call]
            call.queued_bytes = self._channel.queued_bytes
            call.sent_at = time.monotonic()
            call.stream_id = self._exchange.open(call.fields, call.body)
            self._calls[call.stream_id] = call
        if not self._exchange.accepting:
            self._drain()

    def _drain(self) -> None:
        self._exchange.accepting = False
        self._limits.set(STILL_BUSY, DRAIN_LIMIT_S)
        self._fail_waiting(NO_NEW_REQUESTS)

    def _fail_waiting(self, reason: str) -> None:
        for call in self._waiting:
            call.settle(self._refusal(f"{self._authority}: {reason}"))
        self._waiting.clear()

    def _probe_after(self, silent_s: float) -> None:
        ready = self._exchange.accepting and self._exchange.ready
        if ready and time.monotonic() - self._heard_at > silent_s:
            self._probe()

    def _probe(self) -> None:
        if SILENT not in self._limits:
            self._limits.set(SILENT, PROBE_LIMIT_S)
            self._exchange.ping()
            self._wakeup.set()

    def _claim(self) -> bytearray:
        if self._channel is None:
            return bytearray()
        self._channel.queue(self._exchange.take_output())
        return self._channel.claim()

    # The connection's own thread.

    def _run(self) -> None:
        reason = "its thread failed"
        try:
            reason = self._serve()
        except TransportError as error:
            reason = str(error)
        except OSError as error:
            reason = error.strerror or str(error)
        finally:
            # Whatever happens, nobody waits for a connection that is no more.
            self._end(reason)

    def _serve(self) -> str:
        """Dial and read until the connection ends; return why, or nothing where it simply has no more to do."""
        channel = self._dialer.dial(self._lock, self._wakeup, self._ready_by)
        data: bytes | None = None
        while True:
            with self._lock:
                self._channel = channel
                if data is not None:
                    self._take(channel, data)
                self._open_streams()
                verdict, timeout_s = self._verdict()
                if verdict is not None:
                    return verdict
                chunk = self._claim()
            channel.send(chunk)
            data = channel.receive(timeout_s)

    def _take(self, channel: TLSChannel, data: bytes) -> None:
        plain, ended = channel.decrypt(data)
        self._heard_at = time.monotonic()
        self._limits.lift(SILENT)
        for event in self._exchange.receive(plain):
            self._deliver(event)
        if self._exchange.ready and self._limits.lift(NOT_READY):
            logger.info("%s: connected (%s)", self._authority, channel.description)
        if ended:
            raise ConnectionResetError("closed by the peer")

    def _deliver(self, event: Event) -> None:
        if isinstance(event, GoneAway):
            logger.info("%s: goes away: %s", self._authority, event.reason)
            return
        self._calls.pop(event.stream_id).settle(event.response if isinstance(event, Answered) else event.error)

    def _verdict(self) -> tuple[str | None, float | None]:
        """Return why the connection must end now, else for how long it may wait."""
        if not self._exchange.accepting and not self._calls:
            return "", None
        return self._limits.verdict()

    def _end(self, reason: str) -> None:
        with self._lock:
            self._ended = reason or "the connection is closed"
            if reason and not self._exchange.ready:
                self._refusal, self.failed_at = ConnectFailed, time.monotonic()
            self._exchange.say_goodbye()
            self._fail_waiting(self._ended)
            lost, self._calls = list(self._calls.values()), {}
            for call in lost:
                left = self._channel is not None and call.queued_bytes < self._channel.left_bytes
                call.settle((OutcomeUnknown if left else NotProcessed)(f"{self._authority}: {reason}"))
            if self._channel is not None:
                self._channel.close(self._exchange.take_output())
            self._wakeup.close()
        level = logging.WARNING if lost or not self._exchange.ready else logging.INFO
        logger.log(level, "%s: connection ended: %s (%d unanswered)", self._authority, self._ended, len(lost))
