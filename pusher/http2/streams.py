"""The streams of a connection, client side, without I/O: requests go out as far as flow control allows, responses
come in, and each request gets exactly one result.

h2 is asked for what holds for the connection as a whole: its send window, and the peer's settings.
"""

from collections.abc import Sequence

from h2.connection import H2Connection
from h2.errors import ErrorCodes

from pusher.errors import NotProcessed, OutcomeUnknown
from pusher.http2 import frames
from pusher.http2.announced import FIRST_WINDOW, MORE_WINDOW
from pusher.http2.events import Answered, Failed
from pusher.http2.fields import Field, FieldEncoder
from pusher.http2.frames import Frame, PeerError
from pusher.http2.header_blocks import HeaderBlocks
from pusher.http2.peer_words import code_name
from pusher.http2.receive_window import ReceiveWindow
from pusher.http2.reply import Reply, StreamError

_BLOCK_KINDS = frozenset({frames.HEADERS, frames.CONTINUATION})
#: RFC 9113 6.9.1.
_MAX_WINDOW = 2**31 - 1


class _Stream:
    """A request under way."""

    __slots__ = ("body", "peer_ended", "reply", "sent", "window")

    def __init__(self, body: bytes, window: int) -> None:
        self.body = body
        #: How much of the body was sent, and how much more the peer takes on this stream: less than nothing where
        #: it lowered its setting (RFC 9113 6.9.2).
        self.sent = 0
        self.window = window
        #: Whether the peer said its last on this stream.
        self.peer_ended = False
        self.reply = Reply()

    @property
    def unsent(self) -> int:
        return len(self.body) - self.sent


class Streams:
    """One connection's streams. What is to be sent is added to `output`."""

    def __init__(self, h2: H2Connection, encoder: FieldEncoder, output: bytearray) -> None:
        self._h2 = h2
        self._encoder = encoder
        self._output = output
        self._blocks = HeaderBlocks()
        self._received = ReceiveWindow(FIRST_WINDOW + MORE_WINDOW)
        self._open: dict[int, _Stream] = {}
        #: Streams with body left to send, in the order they were opened.
        self._unsent: dict[int, _Stream] = {}
        self._next_id = 1
        #: SETTINGS_INITIAL_WINDOW_SIZE, as the open streams know it.
        self._initial_window = h2.remote_settings.initial_window_size

    def __len__(self) -> int:
        return len(self._open)

    def open(self, fields: Sequence[Field], body: bytes) -> int:
        """Send a request as far as flow control allows; return its stream id."""
        stream_id = self._next_id
        self._next_id += 2
        self._send_block(stream_id, self._encoder.encode(fields), ends=not body)
        stream = self._open[stream_id] = _Stream(body, self._initial_window)
        if body:
            self._send_body(stream_id, stream)
        return stream_id

    def cancel(self, stream_id: int) -> None:
        """Give up a request; its stream is free at once."""
        if stream_id in self._open:
            self._drop(stream_id, reset=ErrorCodes.CANCEL)

    def fail_above(self, last_stream_id: int, problem: str) -> list[Failed]:
        """Give up the requests that a GOAWAY says were not processed (RFC 9113 6.8)."""
        lost = [stream_id for stream_id in self._open if stream_id > last_stream_id]
        for stream_id in lost:
            self._drop(stream_id)
        return [Failed(stream_id=stream_id, error=NotProcessed(problem)) for stream_id in lost]

    def apply_settings(self) -> None:
        """Follow the peer's settings. Raises `PeerError`."""
        new_window = self._h2.remote_settings.initial_window_size
        change, self._initial_window = new_window - self._initial_window, new_window
        for stream in self._open.values():
            stream.window += change
            if stream.window > _MAX_WINDOW:
                raise PeerError(ErrorCodes.FLOW_CONTROL_ERROR, "a setting that makes a window too large")
        self.send_bodies()

    def send_bodies(self) -> None:
        """Send what had to wait for the peer's windows."""
        for stream_id, stream in list(self._unsent.items()):
            if self._h2.outbound_flow_control_window <= 0:
                return
            self._send_body(stream_id, stream)

    @property
    def in_block(self) -> bool:
        """Tell whether `receive` must have the next frame, whatever it is: a header block goes on."""
        return self._blocks.incomplete

    def receive(self, frame: Frame) -> Answered | Failed | None:
        """Return what a frame that is not about the connection settles. Raises `PeerError`.

        What comes late for a stream that is done is passed over, except for what it does to the connection.
        """
        if not self._blocks.incomplete:
            if frame.kind > frames.CONTINUATION:
                # Unknown types are passed over (RFC 9113 5.5).
                return None
            self._check_place(frame)
        stream = self._open.get(frame.stream_id)
        try:
            return self._take(frame, stream)
        except StreamError as error:
            return self._refuse(frame.stream_id, error)

    def _check_place(self, frame: Frame) -> None:
        if frame.kind == frames.PUSH_PROMISE:
            raise PeerError(ErrorCodes.PROTOCOL_ERROR, "PUSH_PROMISE, which our SETTINGS forbid")
        ours = frame.stream_id % 2 and frame.stream_id < self._next_id
        if not ours and not (frame.kind == frames.PRIORITY and frame.stream_id):
            raise PeerError(ErrorCodes.PROTOCOL_ERROR, f"a frame of type {frame.kind} on stream {frame.stream_id}")

    def _take(self, frame: Frame, stream: _Stream | None) -> Answered | Failed | None:
        if self._blocks.incomplete or frame.kind in _BLOCK_KINDS:
            return self._take_headers(frame, stream)
        match frame.kind:
            case frames.DATA:
                return self._take_data(frame, stream)
            case frames.RST_STREAM:
                return self._take_reset(frame, stream)
            case frames.WINDOW_UPDATE:
                self._take_window(frame, stream)
        return None

    def _take_headers(self, frame: Frame, stream: _Stream | None) -> Answered | None:
        block = self._blocks.take(frame)
        if block is None or stream is None:
            return None
        stream.peer_ended = block.ends
        stream.reply.take_block(block)
        return self._finish(frame.stream_id, stream) if block.ends else None

    def _take_data(self, frame: Frame, stream: _Stream | None) -> Answered | None:
        size = len(frame.payload)
        if credit := self._received.spend(size):
            self._output += frames.pack_word(frames.WINDOW_UPDATE, 0, credit)
        data = frames.content(frame)
        if stream is None:
            return None
        stream.peer_ended = bool(frame.flags & frames.END_STREAM)
        stream.reply.take_data(data, size)
        return self._finish(frame.stream_id, stream) if stream.peer_ended else None

    def _take_reset(self, frame: Frame, stream: _Stream | None) -> Failed | None:
        code = frames.read_word(frame)
        if stream is None:
            return None
        self._drop(frame.stream_id)
        kind = NotProcessed if code == ErrorCodes.REFUSED_STREAM else OutcomeUnknown
        return Failed(stream_id=frame.stream_id, error=kind(f"the peer reset the request: {code_name(code)}"))

    def _take_window(self, frame: Frame, stream: _Stream | None) -> None:
        increment = frames.read_word(frame) & _MAX_WINDOW
        if stream is None:
            return
        if not increment:
            raise StreamError(ErrorCodes.PROTOCOL_ERROR, "a window that grows by nothing")
        stream.window += increment
        if stream.window > _MAX_WINDOW:
            raise StreamError(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")
        if stream.unsent:
            self._send_body(frame.stream_id, stream)

    def _finish(self, stream_id: int, stream: _Stream) -> Answered:
        """Return the response; what is still unsent of the request is not wanted any more (RFC 9113 8.1)."""
        response = stream.reply.complete()
        self._drop(stream_id, reset=ErrorCodes.NO_ERROR if stream.unsent else None)
        return Answered(stream_id=stream_id, response=response)

    def _refuse(self, stream_id: int, error: StreamError) -> Failed:
        """Fail a request for what the peer sent; a stream that both sides ended needs no reset."""
        stream = self._open[stream_id]
        both_ended = stream.peer_ended and not stream.unsent
        self._drop(stream_id, reset=None if both_ended else error.code)
        return Failed(stream_id=stream_id, error=OutcomeUnknown(f"the peer sent {error}"))

    def _drop(self, stream_id: int, *, reset: ErrorCodes | None = None) -> None:
        del self._open[stream_id]
        self._unsent.pop(stream_id, None)
        if reset is not None:
            self._output += frames.pack_word(frames.RST_STREAM, stream_id, reset)

    def _send_block(self, stream_id: int, block: bytes, *, ends: bool) -> None:
        """Send a header block in one go: nothing may come between its frames (RFC 9113 4.3)."""
        most = self._h2.max_outbound_frame_size
        kind, flags = frames.HEADERS, frames.END_STREAM if ends else 0
        while len(block) > most:
            self._output += frames.pack(kind, flags, stream_id, block[:most])
            kind, flags, block = frames.CONTINUATION, 0, block[most:]
        self._output += frames.pack(kind, flags | frames.END_HEADERS, stream_id, block)

    def _send_body(self, stream_id: int, stream: _Stream) -> None:
        """Send what the windows take; the rest waits for its turn."""
        while left := stream.unsent:
            room = min(stream.window, self._h2.outbound_flow_control_window, self._h2.max_outbound_frame_size, left)
            if room <= 0:
                self._unsent[stream_id] = stream
                return
            chunk = stream.body[stream.sent : stream.sent + room]
            stream.sent += room
            stream.window -= room
            self._h2.outbound_flow_control_window -= room
            flags = 0 if stream.unsent else frames.END_STREAM
            self._output += frames.pack(frames.DATA, flags, stream_id, chunk)
        self._unsent.pop(stream_id, None)
