"""Cuts received bytes into HTTP/2 frames and reads GOAWAY.

h2 refuses every frame after a GOAWAY, the answers to requests that the peer still works on among them. So
GOAWAY never reaches h2: it is read here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from h2.exceptions import FrameTooLargeError

_HEADER_BYTES = 9
#: SETTINGS_MAX_FRAME_SIZE as we announce it: the default (RFC 9113 6.5.2).
MAX_FRAME_BYTES = 16_384
_GOAWAY = 0x7


@dataclass(frozen=True, slots=True, kw_only=True)
class GoAway:
    """What a GOAWAY frame says (RFC 9113 6.8)."""

    #: Streams above it were not processed.
    last_stream_id: int
    code: int
    #: Opaque to HTTP/2; APNs puts JSON with a `reason` there.
    debug_data: bytes


class FrameCutter:
    """Keeps what is left of an incomplete frame until the rest arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def cut(self, data: bytes) -> Iterator[bytes]:
        """Yield every complete frame, header included. Raises h2's error for one that is too long."""
        self._buffer += data
        while len(self._buffer) >= _HEADER_BYTES:
            length = int.from_bytes(self._buffer[:3], "big")
            if length > MAX_FRAME_BYTES:
                raise FrameTooLargeError(f"a frame of {length} bytes, or no HTTP/2 at all")
            end = _HEADER_BYTES + length
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[:end])
            del self._buffer[:end]
            yield frame


def read_goaway(frame: bytes) -> GoAway | None:
    """Return what a complete, well-formed GOAWAY `frame` says; None for any other, which h2 shall judge."""
    if frame[3] != _GOAWAY or len(frame) < _HEADER_BYTES + 8 or int.from_bytes(frame[5:9], "big") & 0x7FFFFFFF:
        return None
    return GoAway(
        last_stream_id=int.from_bytes(frame[9:13], "big") & 0x7FFFFFFF,
        code=int.from_bytes(frame[13:17], "big"),
        debug_data=frame[17:],
    )
