"""HTTP/2 frames as bytes (RFC 9113 4 and 6): what was received is cut, what is to be sent is packed.

h2 refuses every frame after a GOAWAY, the answers to requests that the peer still works on among them. So
GOAWAY never reaches h2: it is read here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from h2.errors import ErrorCodes

from pusher.http2.announced import MAX_FRAME_BYTES

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = range(6)
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(6, 10)

_CONNECTION_KINDS = frozenset({SETTINGS, PING, GOAWAY})

#: Flags; END_STREAM is for DATA and HEADERS, END_HEADERS for HEADERS and CONTINUATION.
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x4, 0x8, 0x20

#: Length (its high 16 bits, its low 8), type, flags, and the stream id behind a reserved bit.
_HEADER = Struct(">HBBBL")
_PRIORITY_BYTES = 5
_SETTING_BYTES = 6
#: Identifiers of the settings that h2 knows (RFC 9113 6.5.2, RFC 8441 3).
_SETTINGS_KNOWN = frozenset({1, 2, 3, 4, 5, 6, 8})


class PeerError(Exception):
    """The peer broke HTTP/2 in a way that costs the connection (RFC 9113 5.4.1)."""

    def __init__(self, code: ErrorCodes, problem: str) -> None:
        super().__init__(problem)
        #: What our GOAWAY says.
        self.code = code


class Frame(NamedTuple):
    """A complete frame. A tuple, since one is made for every few hundred bytes that arrive."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


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
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[Frame]:
        """Yield every complete frame. Raises `PeerError` for one that is too long; to be read to its end."""
        data = self._rest + data
        start, size = 0, len(data)
        while size - start >= _HEADER.size:
            high, low, kind, flags, stream_id = _HEADER.unpack_from(data, start)
            length = high << 8 | low
            if length > MAX_FRAME_BYTES:
                raise PeerError(ErrorCodes.FRAME_SIZE_ERROR, f"a frame of {length} bytes, or no HTTP/2 at all")
            end = start + _HEADER.size + length
            if end > size:
                break
            yield Frame(kind, flags, stream_id & 0x7FFFFFFF, data[start + _HEADER.size : end])
            start = end
        self._rest = data[start:]


def about_connection(frame: Frame) -> bool:
    """Tell whether a frame is about the connection as a whole, on whatever stream it came."""
    return frame.kind in _CONNECTION_KINDS or (frame.kind == WINDOW_UPDATE and not frame.stream_id)


def pack(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Return a frame."""
    size = len(payload)
    return _HEADER.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def pack_word(kind: int, stream_id: int, word: int) -> bytes:
    """Return a frame that holds nothing but four bytes: RST_STREAM, WINDOW_UPDATE."""
    return pack(kind, 0, stream_id, word.to_bytes(4, "big"))


def read_word(frame: Frame) -> int:
    """Return what such a frame holds. Raises `PeerError` (RFC 9113 6.4, 6.9)."""
    if len(frame.payload) != 4:
        raise PeerError(ErrorCodes.FRAME_SIZE_ERROR, f"a frame of type {frame.kind} with {len(frame.payload)} bytes")
    return int.from_bytes(frame.payload, "big")


def content(frame: Frame) -> bytes:
    """Return what DATA or HEADERS holds, without padding and priority. Raises `PeerError` (RFC 9113 6.1, 6.2)."""
    if not frame.flags & (PADDED | HAS_PRIORITY):
        return frame.payload
    start, end = 0, len(frame.payload)
    if frame.flags & PADDED and end:
        start, end = 1, end - frame.payload[0]
    elif frame.flags & PADDED:
        raise PeerError(ErrorCodes.FRAME_SIZE_ERROR, "a padded frame without a length of its padding")
    if frame.flags & HAS_PRIORITY and frame.kind == HEADERS:
        start += _PRIORITY_BYTES
    if start > end:
        code = ErrorCodes.PROTOCOL_ERROR if frame.flags & PADDED else ErrorCodes.FRAME_SIZE_ERROR
        raise PeerError(code, "a frame that is shorter than its padding and priority")
    return frame.payload[start:end]


def known_settings(frame: Frame) -> Frame:
    """Return `frame` without the settings in it that nobody knows (RFC 9113 6.5.2).

    h2 would keep all 65,536 that there can be, and look at each of them with every SETTINGS that comes.
    """
    if frame.kind != SETTINGS or len(frame.payload) % _SETTING_BYTES:
        return frame
    settings = [frame.payload[at : at + _SETTING_BYTES] for at in range(0, len(frame.payload), _SETTING_BYTES)]
    known = [setting for setting in settings if int.from_bytes(setting[:2], "big") in _SETTINGS_KNOWN]
    return frame._replace(payload=b"".join(known))


def read_goaway(frame: Frame) -> GoAway | None:
    """Return what a well-formed GOAWAY `frame` says; None for any other, which h2 shall judge."""
    if frame.kind != GOAWAY or frame.stream_id or len(frame.payload) < 8:
        return None
    return GoAway(
        last_stream_id=int.from_bytes(frame.payload[:4], "big") & 0x7FFFFFFF,
        code=int.from_bytes(frame.payload[4:8], "big"),
        debug_data=frame.payload[8:],
    )
