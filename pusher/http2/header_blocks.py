"""Received header blocks: HEADERS and its CONTINUATION frames become fields (RFC 9113 4.3, 6.2, 6.10)."""

from collections.abc import Sequence
from dataclasses import dataclass

from h2.errors import ErrorCodes
from hpack import Decoder, HPACKError, OversizedHeaderListError

from pusher.http2 import frames
from pusher.http2.announced import MAX_BLOCK_BYTES, MAX_DECODED_BYTES
from pusher.http2.frames import Frame, PeerError

_FRAME_HEADER_BYTES = 9
#: What hpack raises for hostile bytes. Only the first is documented, but its releases differ in that.
_HOSTILE = (HPACKError, ValueError, LookupError, TypeError)


@dataclass(slots=True, kw_only=True)
class HeaderBlock:
    """What a peer said in one go about a stream."""

    stream_id: int
    #: Whether it is the last that the peer says on this stream.
    ends: bool
    fields: Sequence[tuple[bytes, bytes]]


class HeaderBlocks:
    """Holds HPACK's table, which every block of the connection may change: none may be left out."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=MAX_DECODED_BYTES)
        #: The HEADERS frame whose CONTINUATION is to come next, what its block holds so far, and what that cost.
        self._first: Frame | None = None
        self._fragments = bytearray()
        self._received = 0

    @property
    def incomplete(self) -> bool:
        """Tell whether the next frame must go on with a block, whatever it is."""
        return self._first is not None

    def take(self, frame: Frame) -> HeaderBlock | None:
        """Return the block that `frame` completes, None when more is to come. Raises `PeerError`."""
        if self._first is not None:
            return self._go_on(self._first, frame)
        if frame.kind != frames.HEADERS:
            raise PeerError(ErrorCodes.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        fragment = frames.content(frame)
        if frame.flags & frames.END_HEADERS:
            return self._decode(frame, fragment)
        self._first, self._fragments, self._received = frame, bytearray(fragment), len(frame.payload)
        return None

    def _go_on(self, first: Frame, frame: Frame) -> HeaderBlock | None:
        if frame.kind != frames.CONTINUATION or frame.stream_id != first.stream_id:
            raise PeerError(ErrorCodes.PROTOCOL_ERROR, "a frame between HEADERS and its CONTINUATION")
        # Frame headers count: CONTINUATION frames that hold nothing must come to an end as well.
        self._received += _FRAME_HEADER_BYTES + len(frame.payload)
        if self._received > MAX_BLOCK_BYTES:
            raise PeerError(ErrorCodes.ENHANCE_YOUR_CALM, "a header block without end")
        self._fragments += frame.payload
        if not frame.flags & frames.END_HEADERS:
            return None
        self._first = None
        return self._decode(first, bytes(self._fragments))

    def _decode(self, first: Frame, data: bytes) -> HeaderBlock:
        try:
            fields = tuple(self._decoder.decode(data, raw=True))
        except OversizedHeaderListError as error:
            raise PeerError(ErrorCodes.ENHANCE_YOUR_CALM, f"a header list without end: {error}") from error
        except _HOSTILE as error:
            raise PeerError(ErrorCodes.COMPRESSION_ERROR, f"{type(error).__name__}: {error}") from error
        return HeaderBlock(stream_id=first.stream_id, ends=bool(first.flags & frames.END_STREAM), fields=fields)
