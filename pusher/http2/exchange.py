"""HTTP/2 without I/O, client side: bytes in, events and bytes out, on top of h2.

It knows how many requests the peer takes at once, sends bodies as far as flow control allows, collects
bounded responses, and tells "surely not processed" from "unknown" (RFC 9113 8.7). Its owner holds a lock.
"""

from collections.abc import Iterator, Sequence

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.events import Event as H2Event
from h2.exceptions import H2Error
from hpack import HeaderTuple, HPACKError
from hyperframe.exceptions import HyperframeError

from pusher.errors import NotProcessed, OutcomeUnknown, TransportError
from pusher.http2.events import Answered, Event, Failed, GoneAway
from pusher.http2.frames import FrameCutter, GoAway, read_goaway
from pusher.http2.h2_client import MAX_BODY_BYTES, MAX_HEADER_BYTES, start_h2
from pusher.http2.peer_words import code_name, goaway_reason, printable
from pusher.http2.request import Response

_StreamEvent = ResponseReceived | TrailersReceived | DataReceived | StreamEnded | StreamReset
#: Ids are never reused (RFC 9113 5.1.1): after this one the connection only finishes what it has.
HIGHEST_STREAM_ID = 2**31 - 1
#: What h2 raises for hostile bytes. The last three ought not to escape it, but its releases differ in that.
_HOSTILE = (H2Error, HPACKError, HyperframeError, ValueError, LookupError, TypeError)


class _Stream:
    """A request under way."""

    __slots__ = ("body", "header_bytes", "headers", "status", "unsent")

    def __init__(self, unsent: bytes) -> None:
        self.unsent = unsent
        self.status = ""
        self.headers: tuple[tuple[str, str], ...] = ()
        self.header_bytes = 0
        self.body = bytearray()


class Exchange:
    """One connection's requests and responses."""

    def __init__(self) -> None:
        #: Whether new requests may be opened, now or when a stream becomes free; never True again once False.
        self.accepting = True
        self._streams: dict[int, _Stream] = {}
        #: Streams with body left to send, in the order they were opened.
        self._unsent: dict[int, _Stream] = {}
        self._limit = 0
        self._ready = False
        #: The peer broke HTTP/2: h2 would refuse to send anything more.
        self._broken = False
        self._cutter = FrameCutter()
        self._h2 = start_h2()

    @property
    def ready(self) -> bool:
        """Tell whether the peer's first SETTINGS came; before, its stream limit is unknown."""
        return self._ready

    @property
    def can_open(self) -> bool:
        """Tell whether a request may be opened at once."""
        return self.accepting and len(self._streams) < self._limit

    def open(self, fields: Sequence[HeaderTuple], body: bytes) -> int:
        """Send a request as far as flow control allows, when `can_open`; return its stream id."""
        stream_id = self._h2.get_next_available_stream_id()
        self._h2.in_use = len(self._streams)
        self._h2.send_headers(stream_id, fields, end_stream=not body)
        stream = self._streams[stream_id] = _Stream(body)
        if body:
            self._send_body(stream_id, stream)
        if stream_id >= HIGHEST_STREAM_ID:
            self.accepting = False
        return stream_id

    def cancel(self, stream_id: int) -> None:
        """Give up a request whose answer nobody waits for; its stream is free at once."""
        if stream_id in self._streams:
            self._drop(stream_id, reset=ErrorCodes.CANCEL)

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        if not self._broken:
            self._h2.ping(b"pusher\0\0")

    def say_goodbye(self) -> None:
        """Tell the peer that the connection will be closed; nothing is received afterwards."""
        self.accepting = False
        if not self._broken:
            self._h2.close_connection()

    def take_output(self) -> bytes:
        """Return the bytes to send, once."""
        return self._h2.data_to_send()

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield what `data` means; take the output afterwards.

        Raises `TransportError` when the peer breaks HTTP/2, after the events of what was sound.
        """
        try:
            for frame in self._cutter.cut(data):
                goaway = read_goaway(frame)
                if goaway is not None:
                    yield from self._go_away(goaway)
                    continue
                for event in self._h2.receive_data(frame):
                    yield from self._handle(event)
        except _HOSTILE as error:
            self.accepting = False
            self._broken = True
            problem = printable(f"{type(error).__name__}: {error}")
            raise TransportError(f"the peer broke HTTP/2: {problem}") from error

    def _handle(self, event: H2Event) -> Iterator[Event]:
        if isinstance(event, RemoteSettingsChanged):
            self._apply_settings()
        elif isinstance(event, WindowUpdated):
            self._send_bodies()
        elif isinstance(event, ResponseReceived | TrailersReceived | DataReceived | StreamEnded | StreamReset):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                yield from self._handle_stream(event, stream)
            elif isinstance(event, DataReceived):
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def _handle_stream(self, event: _StreamEvent, stream: _Stream) -> Iterator[Event]:
        match event:
            case ResponseReceived():
                stream.headers = tuple((_text(name), _text(value)) for name, value in event.headers)
                stream.status = next((value for name, value in stream.headers if name == ":status"), "")
                yield from self._bound_headers(event, stream)
            case TrailersReceived():
                yield from self._bound_headers(event, stream)
            case DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                stream.body += event.data
                if len(stream.body) > MAX_BODY_BYTES:
                    yield self._refuse(event, stream, "a response body that is too long")
            case StreamEnded():
                yield self._finish(event.stream_id, stream)
            case StreamReset():
                self._drop(event.stream_id)
                yield Failed(stream_id=event.stream_id, error=_reset_error(int(event.error_code)))

    def _bound_headers(self, event: ResponseReceived | TrailersReceived, stream: _Stream) -> Iterator[Failed]:
        stream.header_bytes += sum(len(name) + len(value) + 32 for name, value in event.headers)
        if stream.header_bytes > MAX_HEADER_BYTES:
            yield self._refuse(event, stream, "response headers that are too long")

    def _refuse(self, event: ResponseReceived | TrailersReceived | DataReceived, stream: _Stream, what: str) -> Failed:
        """Fail the request because of `what` the peer sent; a stream that both sides ended needs no reset."""
        both_ended = event.stream_ended and not stream.unsent
        self._drop(event.stream_id, reset=None if both_ended else ErrorCodes.ENHANCE_YOUR_CALM)
        return Failed(stream_id=event.stream_id, error=OutcomeUnknown(f"the peer sent {what}"))

    def _finish(self, stream_id: int, stream: _Stream) -> Event:
        """Return the response; what is still unsent of the request is not wanted any more (RFC 9113 8.1)."""
        self._drop(stream_id, reset=ErrorCodes.NO_ERROR if stream.unsent else None)
        if not (stream.status.isascii() and stream.status.isdigit() and len(stream.status) == 3):
            error = OutcomeUnknown("the peer sent a response without a proper status")
            return Failed(stream_id=stream_id, error=error)
        headers = tuple(field for field in stream.headers if not field[0].startswith(":"))
        response = Response(status=int(stream.status), headers=headers, body=bytes(stream.body))
        return Answered(stream_id=stream_id, response=response)

    def _go_away(self, goaway: GoAway) -> Iterator[Event]:
        self.accepting = False
        reason = goaway_reason(goaway)
        yield GoneAway(reason=reason)
        for stream_id in [known for known in self._streams if known > goaway.last_stream_id]:
            self._drop(stream_id)
            yield Failed(stream_id=stream_id, error=NotProcessed(f"the peer goes away: {reason}"))

    def _drop(self, stream_id: int, *, reset: ErrorCodes | None = None) -> None:
        del self._streams[stream_id]
        self._unsent.pop(stream_id, None)
        if reset is not None and not self._broken:
            self._h2.reset_stream(stream_id, reset)

    def _apply_settings(self) -> None:
        self._ready = True
        self._limit = self._h2.remote_settings.max_concurrent_streams
        self._send_bodies()

    def _send_bodies(self) -> None:
        for stream_id, stream in list(self._unsent.items()):
            if self._h2.outbound_flow_control_window <= 0:
                return
            self._send_body(stream_id, stream)

    def _send_body(self, stream_id: int, stream: _Stream) -> None:
        while stream.unsent:
            room = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)
            if room <= 0:
                self._unsent[stream_id] = stream
                return
            chunk, stream.unsent = stream.unsent[:room], stream.unsent[room:]
            self._h2.send_data(stream_id, chunk, end_stream=not stream.unsent)
        self._unsent.pop(stream_id, None)


def _reset_error(code: int) -> NotProcessed | OutcomeUnknown:
    kind = NotProcessed if code == ErrorCodes.REFUSED_STREAM else OutcomeUnknown
    return kind(f"the peer reset the request: {code_name(code)}")


def _text(value: bytes) -> str:
    # Bytes beyond ASCII in some header must not cost the connection.
    return value.decode("utf-8", "replace")
