"""A message whose properties py-amqp cannot parse comes without them, and its body is as good as any.

Anybody may set properties: a content type that is not UTF-8, a time beyond the calendar, tables in tables without end.
py-amqp raises in the middle of such a message, after which its channel is of no use; and as some of these errors look
like a lost connection, the message would come again for ever and nothing behind it would be heard.
"""

import struct
from collections.abc import Callable
from typing import Any

from amqp.basic_message import Message
from amqp.exceptions import AMQPError
from amqp.method_framing import frame_handler
from amqp.serialization import dumps

#: The header that such a message comes with; its value is the name of what py-amqp raised.
UNREADABLE_HEADER = "x-pusher-unreadable"

#: A received frame: type, channel, payload.
_Frame = tuple[int, int, Any]
#: The type of the frame that holds properties (AMQP 0-9-1 4.2.6), the bytes before them, and the flag for headers.
_CONTENT_HEADER = 2
_BEFORE_PROPERTIES = 12
_HEADERS_ONLY = struct.pack(">H", 1 << 13)
#: What py-amqp has been seen to raise about properties; which of it was about them is looked up afterwards.
_RAISED = (ValueError, ArithmeticError, LookupError, RecursionError, TypeError, OSError, struct.error, AMQPError)


class _ReadableFrames:
    """Makes py-amqp's handler of received frames."""

    def __call__(self, connection: Any, callback: Callable[..., None]) -> Callable[[_Frame], bool]:
        """Return the handler of the frames that `connection` receives, with nothing unreadable among them."""
        handle: Callable[[_Frame], bool] = frame_handler(connection, callback)

        def take(frame: _Frame) -> bool:
            try:
                return handle(frame)
            except _RAISED:
                kind, channel, payload = frame
                problem = _problem(payload) if kind == _CONTENT_HEADER else None
                if problem is None:
                    raise
                properties = _HEADERS_ONLY + dumps("F", [{UNREADABLE_HEADER: problem}])
            # It still waits for the properties of this message, and for nothing else.
            return handle((kind, channel, bytes(payload[:_BEFORE_PROPERTIES]) + properties))

        return take

    def __json__(self) -> str:
        """Return what `celery inspect stats` and Flower show of it among the connection's options."""
        return "readable frames"


readable_frames = _ReadableFrames()


def _problem(payload: bytes) -> str | None:
    """Return what py-amqp raises about the properties in `payload`, None where it can read them."""
    try:
        Message().inbound_header(payload)
    except _RAISED as error:
        return type(error).__name__
    return None
