"""HTTP/2 without I/O, client side: bytes in, events and bytes out.

Frames about the connection as a whole are h2's, those about a stream are `streams.py`'s. What both have to send
leaves in the order it came up, which HPACK depends on. Its owner holds a lock.
"""

from collections.abc import Iterator, Sequence

from h2.errors import ErrorCodes
from h2.events import Event as H2Event
from h2.events import RemoteSettingsChanged, WindowUpdated
from h2.exceptions import H2Error
from hyperframe.exceptions import HyperframeError

from pusher.errors import TransportError
from pusher.http2 import frames
from pusher.http2.events import Event, GoneAway
from pusher.http2.fields import Field, FieldEncoder
from pusher.http2.frames import Frame, FrameCutter, GoAway, PeerError
from pusher.http2.h2_client import start_h2
from pusher.http2.peer_words import goaway_reason, printable
from pusher.http2.streams import Streams

#: Ids are never reused (RFC 9113 5.1.1): after this one the connection only finishes what it has.
HIGHEST_STREAM_ID = 2**31 - 1
#: What h2 raises for hostile bytes. All but the first ought not to escape it, but its releases differ in that.
_HOSTILE = (H2Error, HyperframeError, ValueError, LookupError, TypeError)


class Exchange:
    """One connection's requests and responses."""

    def __init__(self) -> None:
        #: Whether new requests may be opened, now or when a stream becomes free; never True again once False.
        self.accepting = True
        self._limit = 0
        self._ready = False
        #: The peer broke HTTP/2: nothing may follow our GOAWAY.
        self._broken = False
        self._output = bytearray()
        self._cutter = FrameCutter()
        encoder = FieldEncoder()
        self._h2 = start_h2(encoder)
        self._streams = Streams(self._h2, encoder, self._output)
        self._collect()

    @property
    def ready(self) -> bool:
        """Tell whether the peer's first SETTINGS came; before, its stream limit is unknown."""
        return self._ready

    @property
    def can_open(self) -> bool:
        """Tell whether a request may be opened at once."""
        return self.accepting and len(self._streams) < self._limit

    def open(self, fields: Sequence[Field], body: bytes) -> int:
        """Send a request as far as flow control allows, when `can_open`; return its stream id."""
        stream_id = self._streams.open(fields, body)
        if stream_id >= HIGHEST_STREAM_ID:
            self.accepting = False
        return stream_id

    def cancel(self, stream_id: int) -> None:
        """Give up a request whose answer nobody waits for; its stream is free at once."""
        if not self._broken:
            self._streams.cancel(stream_id)

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        if not self._broken:
            self._h2.ping(b"pusher\0\0")
            self._collect()

    def say_goodbye(self) -> None:
        """Tell the peer that the connection will be closed; nothing is received afterwards."""
        self.accepting = False
        if not self._broken:
            self._h2.close_connection()
            self._collect()

    def take_output(self) -> bytes:
        """Return the bytes to send, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield what `data` means; take the output afterwards.

        Raises `TransportError` when the peer breaks HTTP/2, after the events of what was sound.
        """
        try:
            for frame in self._cutter.cut(data):
                if frames.about_connection(frame) and not self._streams.in_block:
                    yield from self._take_connection_frame(frame)
                elif (event := self._streams.receive(frame)) is not None:
                    yield event
        except PeerError as error:
            self.accepting = False
            self._broken = True
            self._h2.close_connection(error.code)
            self._collect()
            raise TransportError(f"the peer broke HTTP/2: {printable(str(error))}") from error

    def _take_connection_frame(self, frame: Frame) -> Iterator[Event]:
        goaway = frames.read_goaway(frame)
        if goaway is not None:
            yield from self._go_away(goaway)
            return
        for event in self._ask_h2(frames.known_settings(frame)):
            if isinstance(event, RemoteSettingsChanged):
                self._ready = True
                self._limit = self._h2.remote_settings.max_concurrent_streams
                self._streams.apply_settings()
            elif isinstance(event, WindowUpdated):
                self._streams.send_bodies()

    def _ask_h2(self, frame: Frame) -> list[H2Event]:
        try:
            events = self._h2.receive_data(frames.pack(*frame))
        except _HOSTILE as error:
            # h2 has a GOAWAY of its own ready, but not always.
            self._h2.clear_outbound_data_buffer()
            code = getattr(error, "error_code", ErrorCodes.PROTOCOL_ERROR)
            raise PeerError(code, f"{type(error).__name__}: {error}") from error
        # An acknowledgement of SETTINGS must stand before what is sent because of them.
        self._collect()
        return events

    def _collect(self) -> None:
        self._output += self._h2.data_to_send()

    def _go_away(self, goaway: GoAway) -> Iterator[Event]:
        self.accepting = False
        reason = goaway_reason(goaway)
        yield GoneAway(reason=reason)
        yield from self._streams.fail_above(goaway.last_stream_id, f"the peer goes away: {reason}")
