"""What a hostile push service puts on an HTTP/2 connection."""

from collections.abc import Iterator

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from pusher.errors import TransportError
from pusher.http2.announced import MAX_BLOCK_BYTES, MAX_BODY_BYTES, MAX_DECODED_BYTES, MAX_FRAME_BYTES
from pusher.http2.events import Answered, Event, GoneAway
from pusher.http2.exchange import Exchange
from pusher.http2.frames import END_HEADERS, Frame, FrameCutter, PeerError, about_connection
from pusher.http2.header_blocks import HeaderBlocks
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target
from tests.unit.http2.server import (
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Server,
    goaway,
    raw,
    send,
)

#: What we may ever send.
OURS = frozenset({DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION})
KINDS = (0, 0, 1, 1, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 9, 10, 12, 255)
FLAGS = (0, 1, 4, 4, 5, 5, 8, 9, 12, 13, 32, 37, 45, 255)
STREAMS = (0, 1, 3, 5, 7, 9, 2, 2**31 - 1, 2**31)
PAYLOADS = (
    b"\x88", b"\x08\x03200", b"\x08\x03100", b"\x82\x88", b"\x88\0\1x\1y", b"\x20\x88", b"\x3f\xff\xff\xff\xff\xff",
    b"\0\0\0\0", b"\0\0\0\1", b"\x7f\xff\xff\xff", bytes(8), b"\x88\x0f\x0d\x0299", b"\x88" * 50,
    b"\0\4\xff\xff\xff\xff", b"\0\4\0\0\0\0", b"\0\3\0\0\0\0", b"\0\3\0\0\0\xff", b"\0\5\0\0\0\0",
    b"\0\1\xff\xff\xff\xff", b"\0\1\0\0\0\0", b"\0\7\0\0\0\0\xff\xff\0\0\0\0",
    b"\0\0\0\3\0\0\0\0" + b'{"reason":"Shutdown"}', b"x" * 16_384, b"",
)  # fmt: skip


#: What the server of `open_exchange` said first: a stream's window has 100 bytes, and our SETTINGS are acknowledged.
WELCOME = raw(4, 0, 0, b"\0\4\0\0\0\x64") + raw(4, 1, 0)


def open_exchange() -> tuple[Exchange, list[int]]:
    """Return an exchange that waits for five answers, one body still unsent."""
    exchange = Exchange()
    assert list(exchange.receive(WELCOME)) == []
    return exchange, [send(exchange, body) for body in (b"", b"x", bytes(300), b"x", b"")]


class Watch:
    """Looks over an exchange's shoulder: what it settles, what it sends, and what it keeps."""

    def __init__(self) -> None:
        self.exchange, self.opened = open_exchange()
        self.settled: set[int] = set()
        self.cancelled: set[int] = set()
        self.output = self.exchange.take_output().removeprefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.received = len(self.output)
        self.broken = False

    def receive(self, data: bytes) -> None:
        """Feed `data`; nothing but `TransportError` may be raised, and that once."""
        if self.broken:
            return
        self.received += len(data)
        try:
            for event in self.exchange.receive(data):
                self._take(event)
        except TransportError as error:
            self.broken = True
            assert str(error).isprintable()
            assert len(str(error)) < 200
        self.output += self.exchange.take_output()
        self._check_kept()

    def _take(self, event: Event) -> None:
        if isinstance(event, GoneAway):
            assert event.reason.isprintable()
            assert not self.exchange.accepting
            return
        assert event.stream_id in self.opened
        assert event.stream_id not in self.settled | self.cancelled, "a request is settled once"
        self.settled.add(event.stream_id)
        if isinstance(event, Answered):
            assert len(event.response.body) <= MAX_BODY_BYTES
            assert 200 <= event.response.status <= 999
        else:
            assert str(event.error).isprintable()

    def _check_kept(self) -> None:
        """What is kept of a peer that only sends is bounded, whatever it sends."""
        streams = self.exchange._streams
        assert len(self.exchange._cutter._rest) <= MAX_FRAME_BYTES + 9
        assert len(streams._blocks._fragments) <= MAX_BLOCK_BYTES + MAX_FRAME_BYTES
        assert all(len(stream.reply._body) <= MAX_BODY_BYTES for stream in streams._open.values())
        table = streams._blocks._decoder.header_table
        assert table._current_size <= table.maxsize <= 4096
        assert len(self.exchange._h2.remote_settings) <= 8
        assert len(streams) == len(self.opened) - len(self.settled) - len(self.cancelled)
        # A SETTINGS frame of nine bytes may resize windows and so set bodies free; all else is answered with as much.
        assert len(self.output) <= 2 * self.received + 400 + 17 * len(self.opened) + 9

    def finish(self) -> None:
        """End as a connection does; what was sent must be frames, the GOAWAY last."""
        for stream_id in self.opened:
            self.exchange.cancel(stream_id)
        self.exchange.ping()
        self.exchange.say_goodbye()
        kinds = list(_kinds(self.output + self.exchange.take_output()))
        assert kinds.count(GOAWAY) == 1
        assert kinds[-1] == GOAWAY


def _kinds(data: bytes) -> Iterator[int]:
    """Yield the types of the frames that `data` consists of."""
    while data:
        length, kind = int.from_bytes(data[:3], "big"), data[3]
        assert len(data) >= 9 + length
        assert length <= MAX_FRAME_BYTES
        assert kind in OURS
        yield kind
        data = data[9 + length :]


def check_bytes(data: bytes) -> None:
    """Bytes, cut anywhere: nothing but errors of ours, one result for a request, bounded memory."""
    draw = Draw(data)
    watch = Watch()
    step = draw.choice([1 << 20, 1, 7, 60])
    if step == 1 << 20 and draw.byte() % 2:
        watch.cancelled.add(watch.opened[1])
        watch.exchange.cancel(watch.opened[1])
    rest = draw.rest()
    for at in range(0, len(rest), step):
        watch.receive(rest[at : at + step])
    watch.finish()


def check_frames(data: bytes) -> None:
    """Frames as no server of good will sends them, with requests opened and given up between them."""
    draw = Draw(data)
    watch = Watch()
    while draw:
        doing = draw.byte() % 16
        if doing == 0 and watch.exchange.can_open and len(watch.opened) < 40:
            watch.opened.append(send(watch.exchange, bytes(draw.byte())))
        elif doing == 1:
            stream_id = draw.choice(watch.opened)
            if stream_id not in watch.settled | watch.cancelled:
                watch.cancelled.add(stream_id)
                watch.exchange.cancel(stream_id)
        elif doing == 2 and not watch.broken:
            watch.exchange.ping()
        else:
            watch.receive(_drawn_frame(draw) * (50 if doing == 3 else 1))
        watch.received += 500 if doing < 3 else 0
    watch.finish()


def _drawn_frame(draw: Draw) -> bytes:
    kind, flags, stream_id = draw.choice(KINDS), draw.choice(FLAGS), draw.choice(STREAMS)
    payload = draw.choice(PAYLOADS) if draw.byte() % 2 else draw.bytes(draw.byte() % 64)
    return raw(kind, flags, stream_id, payload)


def check_header_blocks(data: bytes) -> None:
    """Header blocks, in pieces, one after the other on one HPACK table: fields of a bounded size, or `PeerError`."""
    draw = Draw(data)
    blocks = HeaderBlocks()
    try:
        while draw:
            pieces = [draw.bytes(draw.byte()) for _ in range(1 + draw.byte() % 4)]
            for number, piece in enumerate(pieces):
                flags = END_HEADERS if number == len(pieces) - 1 else 0
                block = blocks.take(Frame(CONTINUATION if number else HEADERS, flags, 1, piece))
            assert block is not None
            assert sum(len(name) + len(value) + 32 for name, value in block.fields) <= MAX_DECODED_BYTES
    except PeerError as error:
        assert isinstance(error.code, ErrorCodes)


def check_cutter(data: bytes) -> None:
    """The same bytes are the same frames wherever they are cut."""
    draw = Draw(data)
    step, rest = 1 + draw.byte(), draw.rest()
    pieces = [rest[at : at + step] for at in range(0, len(rest), step)]
    assert list(_cut([rest])) == list(_cut(pieces))


def _cut(pieces: list[bytes]) -> Iterator[Frame | str]:
    cutter = FrameCutter()
    try:
        for piece in pieces:
            for frame in cutter.cut(piece):
                assert about_connection(frame) in (True, False)
                yield frame
    except PeerError as error:
        yield str(error)


def _sound() -> bytes:
    """Return what a server may well send to `open_exchange`, all kinds of frames among it."""
    exchange, (first, second, third, fourth, fifth) = open_exchange()
    server = Server(initial_window_size=100)
    h2 = server.h2
    h2.receive_data(exchange.take_output())
    h2.data_to_send()
    h2.send_headers(first, [(":status", "100")])
    h2.send_headers(first, [(":status", "200"), ("content-length", "300"), ("x", "y" * 300)])
    h2.send_data(first, b"z" * 200, pad_length=3)
    h2.ping(b"12345678")
    h2.update_settings({SettingCodes.HEADER_TABLE_SIZE: 200, SettingCodes.INITIAL_WINDOW_SIZE: 150})
    h2.send_data(first, b"z" * 100, end_stream=True)
    server.respond(second, "410", b'{"reason":"Unregistered"}')
    h2.increment_flow_control_window(100, third)
    h2.increment_flow_control_window(1000)
    h2.reset_stream(fourth, ErrorCodes.REFUSED_STREAM)
    data = h2.data_to_send() + goaway(fifth, b'{"reason":"Shutdown"}')
    h2.send_headers(fifth, [(":status", "200"), ("retry-after", "3")])
    h2.send_headers(fifth, [("x-trailer", "1")], end_stream=True)
    return bytes(data + h2.data_to_send())


def _as_draws() -> bytes:
    """Return an input of `check_frames` that answers two requests, a ping and a window between them."""
    head = b"\x05" + bytes([KINDS.index(HEADERS), FLAGS.index(4), 1, 1, 0])
    body = b"\x05" + bytes([KINDS.index(DATA), FLAGS.index(1), 1, 0, 2]) + b"{}"
    ping = b"\x05" + bytes([KINDS.index(6), 0, 0, 1, PAYLOADS.index(bytes(8))])
    window = b"\x05" + bytes([KINDS.index(8), 0, 3, 1, PAYLOADS.index(b"\0\0\0\1")])
    only = b"\x05" + bytes([KINDS.index(HEADERS), FLAGS.index(5), 2, 1, 0])
    return head + ping + body + window + b"\x00\x10" + only


SOUND = _sound()
BYTES = Target(
    name="http2_bytes",
    check=check_bytes,
    seeds=tuple(bytes([cut, 0]) + SOUND for cut in range(4)),
    words=(b"\0\0\x04\x08\0\0\0\0\1", b"\0\0\0\x09\4\0\0\0\1", b"\0\0\1\1\5\0\0\0\3\x88", b"\x0f\x0d\x0299"),
)
FRAMES = Target(name="http2_frames", check=check_frames, seeds=(_as_draws(), bytes(range(250)), _as_draws() * 4))
HEADER_BLOCKS = Target(
    name="header_blocks",
    check=check_header_blocks,
    seeds=(b"\x04\x00\x88\0\1x", b"\x05\x02\x08\x03200\x05\x40\x01x\x01y\x05\xbe\xbe\xbe\xbe\xbe", bytes(range(256))),
    words=(b"\x3f\xe1\x1f", b"\x20", b"\xbe", b"\x7f\xff\xff\xff\x0f", b"\x00\xff\xff\xff\xff\x07", b"\xff" * 9),
)
CUTTER = Target(name="frame_cutter", check=check_cutter, seeds=(b"\x00" + SOUND, b"\x28" + SOUND))
