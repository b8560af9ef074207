"""A request on its way through a connection, and the hand-over of its result to the thread that waits."""

import queue
from collections.abc import Sequence

from pusher.clock import Deadline
from pusher.errors import NotProcessed, TransportError
from pusher.http2.fields import Field
from pusher.http2.request import Response


class ConnectFailed(NotProcessed):
    """There was no connection to send it on; another attempt at once would hardly fare better."""


class Call:
    """Settled once, by the connection; read once, by the caller."""

    __slots__ = ("_result", "body", "fields", "queued_bytes", "sent_at", "stream_id")

    def __init__(self, fields: Sequence[Field], body: bytes) -> None:
        self.fields = fields
        self.body = body
        #: 0 while the request waits in line.
        self.stream_id = 0
        #: `time.monotonic()` when it got its stream, and how many bytes the channel had queued before.
        self.sent_at = 0.0
        self.queued_bytes = 0
        # A SimpleQueue waits in C, unlike an Event or a Condition.
        self._result: queue.SimpleQueue[Response | TransportError] = queue.SimpleQueue()

    def settle(self, result: Response | TransportError) -> None:
        """Hand the result to the caller."""
        self._result.put(result)

    def wait(self, deadline: Deadline) -> Response | TransportError | None:
        """Return the result, None when `deadline` passes before it is there."""
        try:
            return self._result.get(timeout=deadline.remaining_s())
        except queue.Empty:
            return None
