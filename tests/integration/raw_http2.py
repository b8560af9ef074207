"""An HTTP/2 client that does exactly what a test says, right or wrong: frames in, frames out, no rules kept."""

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from hpack import Decoder, Encoder, NeverIndexedHeaderTuple
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)

_TIMEOUT_S = 5.0

Found = TypeVar("Found")
FrameType = TypeVar("FrameType", bound=Frame)


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A complete response."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawHTTP2:
    """One connection. SETTINGS and PING are acknowledged while reading."""

    def __init__(self, port: int, ca_file: Path, *, certificate: Path | None = None, alpn: str | None = "h2") -> None:
        context = ssl.create_default_context(cafile=ca_file)
        if alpn is not None:
            context.set_alpn_protocols([alpn])
        if certificate is not None:
            context.load_cert_chain(certificate)
        self.socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # TLS apart from the socket: ssl's own would hide a reset, and stop writing once the peer has.
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.frames: list[Frame] = []
        self._headers: dict[int, dict[str, str]] = {}
        self._encoder, self._decoder = Encoder(), Decoder()
        self._unread = b""
        self._next_stream_id = 1
        try:
            self._shake_hands()
        except ssl.SSLError:
            self.socket.close()
            raise
        if alpn is not None:
            self._write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def send(self, *frames: Frame) -> None:
        """Send frames, whatever the rules."""
        self._write(b"".join(frame.serialize() for frame in frames))

    def post(
        self,
        path: str,
        headers: dict[str, str],
        body: bytes,
        *,
        secret: frozenset[str] = frozenset(),
        more: bool = False,
        flags: tuple[str, ...] = (),
    ) -> int:
        """Send a request in one write and return its stream id; with `more`, the stream stays open."""
        pseudo = {":method": "POST", ":scheme": "https", ":authority": "localhost", ":path": path}
        fields = [
            NeverIndexedHeaderTuple(name, value) if name in secret else (name, value)
            for name, value in {**pseudo, **headers}.items()
        ]
        stream_id, self._next_stream_id = self._next_stream_id, self._next_stream_id + 2
        data = DataFrame(stream_id, data=body, flags=[] if more else ["END_STREAM"])
        block = self._encoder.encode(fields)
        self.send(HeadersFrame(stream_id, data=block, flags=["END_HEADERS", *flags]), data)
        return stream_id

    def answer(self, stream_id: int) -> RawAnswer:
        """Return the response of a stream, waiting for its end."""
        self.wait_for(lambda: any(self._ends(frame, stream_id) for frame in self.frames))
        headers = self._headers[stream_id]
        parts = [f.data for f in self.of(DataFrame) if f.stream_id == stream_id]
        return RawAnswer(int(headers[":status"]), headers, b"".join(parts))

    def reset_code(self, stream_id: int) -> int:
        """Return the error code of a stream's RST_STREAM, waiting for it."""
        resets = self.wait_for(lambda: [f for f in self.of(RstStreamFrame) if f.stream_id == stream_id])
        return resets[0].error_code

    def goaway(self) -> GoAwayFrame:
        """Return the first GOAWAY, waiting for it."""
        return self.wait_for(lambda: self.of(GoAwayFrame))[0]

    def settings(self, count: int) -> list[dict[int, int]]:
        """Return the settings announced so far, waiting for `count` announcements."""

        def announced() -> list[dict[int, int]]:
            return [frame.settings for frame in self.of(SettingsFrame) if "ACK" not in frame.flags]

        self.wait_for(lambda: len(announced()) >= count)
        return announced()

    def ping(self, data: bytes) -> None:
        """Send PING and wait for its answer: everything sent before has been taken."""
        self.send(PingFrame(0, opaque_data=data))
        self.wait_for(lambda: any(f.opaque_data == data for f in self.of(PingFrame) if "ACK" in f.flags))

    def read_to_end(self) -> str:
        """Read until the server's half is over; return `eof` or `reset`."""
        try:
            while self._read():
                pass
        except ConnectionResetError:
            return "reset"
        return "eof"

    def of(self, kind: type[FrameType]) -> list[FrameType]:
        """Return the frames of a kind received so far."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def wait_for(self, condition: Callable[[], Found]) -> Found:
        """Read until `condition` is true and return what it found."""
        give_up_at = time.monotonic() + _TIMEOUT_S
        while not (found := condition()):
            assert time.monotonic() < give_up_at, self.frames
            assert self._read() or condition(), f"connection ended: {self.frames}"
        return found

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.socket.sendall(self._outgoing.read())
                self._incoming.write(self.socket.recv(65_536))
            else:
                self.socket.sendall(self._outgoing.read())
                return

    def _write(self, data: bytes) -> None:
        self._tls.write(data)
        self.socket.sendall(self._outgoing.read())

    def _read(self) -> bool:
        """Take what came; False at the end, be it TLS' or TCP's."""
        received = self.socket.recv(65_536)
        self._incoming.write(received)
        ended = not received
        try:
            while data := self._tls.read(65_536):
                self._unread += data
            ended = True
        except ssl.SSLWantReadError:
            pass
        self._parse()
        return not ended

    def _parse(self) -> None:
        while len(self._unread) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._unread[:9]))
            if len(self._unread) < 9 + length:
                break
            frame.parse_body(memoryview(self._unread[9 : 9 + length]))
            self._unread = self._unread[9 + length :]
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        self.frames.append(frame)
        if isinstance(frame, HeadersFrame):
            self._headers[frame.stream_id] = dict(self._decoder.decode(frame.data))
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.send(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, PingFrame) and "ACK" not in frame.flags:
            self.send(PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]))

    @staticmethod
    def _ends(frame: Frame, stream_id: int) -> bool:
        return frame.stream_id == stream_id and "END_STREAM" in frame.flags
