"""Streams are ours: what a frame on one does to its request, to the connection, and to what we send."""

import hpack
import pytest
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamReset
from h2.settings import SettingCodes
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from pusher.errors import NotProcessed, OutcomeUnknown, TransportError
from pusher.http2.announced import FIRST_WINDOW, MORE_WINDOW
from pusher.http2.events import Answered, Event
from pusher.http2.exchange import Exchange
from pusher.http2.fields import request_fields
from pusher.http2.request import Request, Response
from tests.unit.http2.server import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Server,
    goaway,
    only_failure,
    pair,
    parsed,
    raw,
    send,
)

OK = b"\x88"
ENDS = END_STREAM | END_HEADERS
#: Of the requests that `busy` sends: open, answered, reset by us, reset by the peer, and never opened.
OPEN, ANSWERED, CANCELLED, RESET, IDLE = 1, 3, 5, 7, 9


def busy() -> tuple[Exchange, Server]:
    """Return an exchange with one request under way and three that are done."""
    exchange, server = pair()
    for _ in range(4):
        send(exchange)
    server.talk(exchange)
    server.respond(ANSWERED)
    server.h2.reset_stream(RESET, ErrorCodes.INTERNAL_ERROR)
    server.talk(exchange)
    exchange.cancel(CANCELLED)
    exchange.take_output()
    return exchange, server


def word(number: int) -> bytes:
    return number.to_bytes(4, "big")


def setting(code: SettingCodes, value: int) -> bytes:
    return raw(SETTINGS, 0, 0, int(code).to_bytes(2, "big") + word(value))


def receive(exchange: Exchange, data: bytes) -> list[Event]:
    return list(exchange.receive(data))


def broken_by(exchange: Exchange, data: bytes) -> ErrorCodes:
    """Return what our last word says after `data`, which must cost the connection."""
    with pytest.raises(TransportError, match="broke HTTP/2"):
        receive(exchange, data)
    assert not exchange.accepting
    said = parsed(exchange.take_output())
    assert isinstance(said[-1], GoAwayFrame)
    assert sum(isinstance(frame, GoAwayFrame) for frame in said) == 1
    exchange.cancel(OPEN)
    exchange.ping()
    exchange.say_goodbye()
    assert exchange.take_output() == b"", "nothing follows a GOAWAY"
    return ErrorCodes(said[-1].error_code)


def spoilt_by(data: bytes) -> ErrorCodes | None:
    """Return what resets the open stream after `data`, which must fail its request and nothing else."""
    exchange, _ = busy()
    failed = only_failure(receive(exchange, data))
    assert (failed.stream_id, type(failed.error)) == (OPEN, OutcomeUnknown)
    said = parsed(exchange.take_output())
    fine = send(exchange)
    assert receive(exchange, raw(HEADERS, ENDS, fine, OK)) == [Answered(stream_id=fine, response=Response(status=200))]
    if not said:
        return None
    (reset,) = said
    assert isinstance(reset, RstStreamFrame)
    assert reset.stream_id == OPEN
    return ErrorCodes(reset.error_code)


def test_a_body_before_its_headers_fails_the_request() -> None:
    assert spoilt_by(raw(DATA, 0, OPEN, b"x")) == ErrorCodes.PROTOCOL_ERROR
    assert spoilt_by(raw(HEADERS, END_HEADERS, OPEN, b"\x08\x03100") + raw(DATA, 0, OPEN)) == ErrorCodes.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "block",
    [b"", b"\x88\x88", b"\x84", b"\x08\x0220", b"\x88\0\1X\1y", b"\0\1x\1y\x88", b"\x88\0\2:x\1y", b"\x88\0\1x\1\n"],
)
def test_a_malformed_response_fails_the_request_and_not_the_connection(block: bytes) -> None:
    assert spoilt_by(raw(HEADERS, END_HEADERS, OPEN, block)) == ErrorCodes.PROTOCOL_ERROR
    assert spoilt_by(raw(HEADERS, ENDS, OPEN, block)) is None, "a stream that both sides ended is closed"


def test_a_body_of_another_length_than_announced_fails_the_request() -> None:
    headers = raw(HEADERS, END_HEADERS, OPEN, b"\x88\x0f\x0d\x013")
    assert spoilt_by(headers + raw(DATA, END_STREAM, OPEN, b"four")) is None
    assert spoilt_by(headers + raw(HEADERS, ENDS, OPEN)) is None
    exchange, _ = busy()
    (answered,) = receive(exchange, headers + raw(DATA, END_STREAM, OPEN, b"yes"))
    assert isinstance(answered, Answered)


def test_informational_responses_without_end_cost_the_stream() -> None:
    early = raw(HEADERS, END_HEADERS, OPEN, b"\x08\x03103\0\1x\x7f\xb9\x02" + b"y" * 440)
    assert spoilt_by(early * (16_384 // 500 + 2)) == ErrorCodes.ENHANCE_YOUR_CALM


def test_a_malformed_response_that_ends_before_our_body_resets_the_stream() -> None:
    exchange, server = pair(initial_window_size=0)
    stream_id = send(exchange)
    server.talk(exchange)
    only_failure(receive(exchange, raw(HEADERS, ENDS, stream_id, b"")))
    assert exchange.take_output() == raw(RST_STREAM, 0, stream_id, word(ErrorCodes.PROTOCOL_ERROR))


@pytest.mark.parametrize(
    ("increment", "code"),
    [(0, ErrorCodes.PROTOCOL_ERROR), (2**31, ErrorCodes.PROTOCOL_ERROR), (2**31 - 1, ErrorCodes.FLOW_CONTROL_ERROR)],
)
def test_a_window_that_grows_by_nothing_or_too_much_fails_the_request(increment: int, code: ErrorCodes) -> None:
    assert spoilt_by(raw(WINDOW_UPDATE, 0, OPEN, word(increment))) == code


def test_a_window_may_be_as_large_as_can_be() -> None:
    exchange, _ = busy()
    sent = 2
    assert receive(exchange, raw(WINDOW_UPDATE, 0, OPEN, word(2**31 - 1 - 65_535 + sent))) == []
    only_failure(receive(exchange, raw(WINDOW_UPDATE, 0, OPEN, word(1))))


def test_more_padding_than_the_streams_window_holds_fails_the_request() -> None:
    padding = raw(DATA, PADDED, OPEN, b"\xff" + bytes(255))
    assert spoilt_by(raw(HEADERS, END_HEADERS, OPEN, OK) + padding * 513) == ErrorCodes.FLOW_CONTROL_ERROR


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        *((raw(kind, ENDS, 0, OK), ErrorCodes.PROTOCOL_ERROR) for kind in (DATA, HEADERS, PUSH_PROMISE, CONTINUATION)),
        *((raw(kind, ENDS, 2, OK), ErrorCodes.PROTOCOL_ERROR) for kind in (DATA, HEADERS, PUSH_PROMISE, CONTINUATION)),
        *((raw(kind, ENDS, IDLE, OK), ErrorCodes.PROTOCOL_ERROR) for kind in (DATA, HEADERS, CONTINUATION)),
        *((raw(RST_STREAM, 0, stream, bytes(4)), ErrorCodes.PROTOCOL_ERROR) for stream in (0, 2, IDLE, 2**31 - 1)),
        *((raw(WINDOW_UPDATE, 0, stream, word(1)), ErrorCodes.PROTOCOL_ERROR) for stream in (2, IDLE)),
        (raw(PUSH_PROMISE, END_HEADERS, OPEN, word(2) + OK), ErrorCodes.PROTOCOL_ERROR),
        (raw(CONTINUATION, END_HEADERS, OPEN, OK), ErrorCodes.PROTOCOL_ERROR),
        (raw(PRIORITY, 0, 0, bytes(5)), ErrorCodes.PROTOCOL_ERROR),
        (raw(DATA, PADDED, OPEN, b"\4xxx"), ErrorCodes.PROTOCOL_ERROR),
        (raw(DATA, PADDED, CANCELLED, b"\4xxx"), ErrorCodes.PROTOCOL_ERROR),
        (raw(HEADERS, PADDED | ENDS, OPEN, b"\2\x88"), ErrorCodes.PROTOCOL_ERROR),
        (raw(RST_STREAM, 0, OPEN, bytes(5)), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(RST_STREAM, 0, ANSWERED, bytes(3)), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(WINDOW_UPDATE, 0, OPEN, bytes(3)), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(HEADERS, ENDS, OPEN, b"\xff\xff\xff\xff\xff\xff"), ErrorCodes.COMPRESSION_ERROR),
        (raw(HEADERS, ENDS, CANCELLED, b"\xfe"), ErrorCodes.COMPRESSION_ERROR),
        (raw(HEADERS, 0, OPEN, OK) + raw(PING, 0, 0, bytes(8)), ErrorCodes.PROTOCOL_ERROR),
        (raw(HEADERS, 0, OPEN, OK) + raw(SETTINGS, 0, 0), ErrorCodes.PROTOCOL_ERROR),
        (raw(HEADERS, 0, OPEN, OK) + goaway(OPEN), ErrorCodes.PROTOCOL_ERROR),
        (raw(HEADERS, 0, OPEN, OK) + raw(WINDOW_UPDATE, 0, 0, word(1)), ErrorCodes.PROTOCOL_ERROR),
        (raw(HEADERS, 0, OPEN, OK) + raw(0xFA, 0, OPEN), ErrorCodes.PROTOCOL_ERROR),
        (raw(HEADERS, 0, OPEN, OK) + raw(CONTINUATION, END_HEADERS, CANCELLED), ErrorCodes.PROTOCOL_ERROR),
        (raw(HEADERS, 0, OPEN, OK) + raw(CONTINUATION, 0, OPEN, OK) * 7000, ErrorCodes.ENHANCE_YOUR_CALM),
        (raw(DATA, 0, OPEN, bytes(16_385)), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(WINDOW_UPDATE, 0, 0, word(0)), ErrorCodes.PROTOCOL_ERROR),
        (raw(WINDOW_UPDATE, 0, 0, word(2**31 - 1)), ErrorCodes.FLOW_CONTROL_ERROR),
        (setting(SettingCodes.INITIAL_WINDOW_SIZE, 2**31), ErrorCodes.FLOW_CONTROL_ERROR),
        (setting(SettingCodes.MAX_FRAME_SIZE, 16_383), ErrorCodes.PROTOCOL_ERROR),
        (raw(SETTINGS, 0, 0, bytes(5)), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(SETTINGS, 0, OPEN), ErrorCodes.PROTOCOL_ERROR),
        (raw(PING, 0, 0, bytes(7)), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(GOAWAY, 0, 0, bytes(7)), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(GOAWAY, 0, OPEN, bytes(8)), ErrorCodes.PROTOCOL_ERROR),
    ],
)
def test_what_breaks_the_connection_is_told_to_the_peer(frame: bytes, code: ErrorCodes) -> None:
    exchange, _ = busy()
    assert broken_by(exchange, frame) == code


def test_a_setting_that_makes_an_open_streams_window_too_large_costs_the_connection() -> None:
    exchange, _ = busy()
    assert receive(exchange, raw(WINDOW_UPDATE, 0, OPEN, word(100))) == []
    assert broken_by(exchange, setting(SettingCodes.INITIAL_WINDOW_SIZE, 2**31 - 50)) == ErrorCodes.FLOW_CONTROL_ERROR


def test_the_same_setting_is_fine_without_open_streams() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    server.respond(stream_id)
    server.talk(exchange)
    assert receive(exchange, setting(SettingCodes.INITIAL_WINDOW_SIZE, 2**31 - 1)) == []


@pytest.mark.parametrize("stream_id", [ANSWERED, CANCELLED, RESET])
@pytest.mark.parametrize(
    "late",
    [
        raw(HEADERS, END_HEADERS, 0, OK),
        raw(HEADERS, ENDS, 0, b""),
        raw(HEADERS, 0, 0, b"\x88\0\1X") + raw(CONTINUATION, END_HEADERS, 0, b"\1y"),
        raw(DATA, END_STREAM, 0, b"late"),
        raw(RST_STREAM, 0, 0, word(ErrorCodes.REFUSED_STREAM)),
        raw(WINDOW_UPDATE, 0, 0, word(0)),
        raw(WINDOW_UPDATE, 0, 0, word(2**31 - 1)),
        raw(PRIORITY, 0, 0, bytes(5)),
    ],
)
def test_what_comes_late_for_a_stream_that_is_done_is_passed_over(stream_id: int, late: bytes) -> None:
    exchange, _ = busy()
    moved = b"".join(on_stream(frame, stream_id) for frame in split(late))
    assert receive(exchange, moved) == []
    assert exchange.take_output() == b""
    assert receive(exchange, raw(HEADERS, ENDS, OPEN, OK)) == [Answered(stream_id=OPEN, response=Response(status=200))]


def split(data: bytes) -> list[bytes]:
    found = []
    while data:
        end = 9 + int.from_bytes(data[:3], "big")
        found.append(data[:end])
        data = data[end:]
    return found


def on_stream(frame: bytes, stream_id: int) -> bytes:
    return frame[:5] + word(stream_id) + frame[9:]


@pytest.mark.parametrize(
    "frame",
    [
        raw(PRIORITY, 0, OPEN, bytes(5)),
        raw(PRIORITY, 0, IDLE, bytes(5)),
        raw(PRIORITY, 0, 2, bytes(5)),
        raw(0x0A, 0, 0, b"\0\0ALTSVC"),
        raw(0x0A, 0, OPEN, b""),
        raw(0xFF, 255, IDLE, b"grease"),
    ],
)
def test_priorities_and_unknown_types_mean_nothing(frame: bytes) -> None:
    exchange, _ = busy()
    assert receive(exchange, frame) == []
    assert exchange.take_output() == b""


def test_header_blocks_that_nobody_waits_for_still_fill_hpacks_table() -> None:
    exchange, _ = busy()
    encoder = hpack.Encoder()
    for stream_id in (CANCELLED, ANSWERED, RESET):
        late = encoder.encode([(":status", "200"), (f"x-{stream_id}", "seen")])
        assert receive(exchange, raw(HEADERS, ENDS, stream_id, late)) == []
    block = encoder.encode([(":status", "200"), *((f"x-{known}", "seen") for known in (CANCELLED, ANSWERED, RESET))])
    assert len(block) == 4, "all of it stands in the table"
    (answered,) = receive(exchange, raw(HEADERS, ENDS, OPEN, block))
    assert isinstance(answered, Answered)
    assert dict(answered.response.headers) == {f"x-{known}": "seen" for known in (CANCELLED, ANSWERED, RESET)}


def test_a_request_cancelled_in_the_middle_of_its_headers_leaves_hpacks_table_whole() -> None:
    exchange, _ = busy()
    block = hpack.Encoder().encode([(":status", "200"), ("x", "seen")])
    assert receive(exchange, raw(HEADERS, END_STREAM, OPEN, block[:3])) == []
    exchange.cancel(OPEN)
    assert receive(exchange, raw(CONTINUATION, END_HEADERS, OPEN, block[3:])) == []
    fine = send(exchange)
    (answered,) = receive(exchange, raw(HEADERS, ENDS, fine, b"\x88\xbe"))
    assert answered == Answered(stream_id=fine, response=Response(status=200, headers=(("x", "seen"),)))


@pytest.mark.parametrize("stream_id", [OPEN, CANCELLED])
def test_the_connections_window_is_opened_again_for_all_that_came(stream_id: int) -> None:
    exchange, _ = busy()
    if stream_id == OPEN:
        receive(exchange, raw(HEADERS, END_HEADERS, OPEN, OK))
    data = raw(DATA, PADDED, stream_id, b"\x0f" + bytes(16_383))
    count = (FIRST_WINDOW + MORE_WINDOW) // 4 // 16_384 + 1
    for _ in range(count):
        receive(exchange, data)
    updates = [frame for frame in parsed(exchange.take_output()) if isinstance(frame, WindowUpdateFrame)]
    assert [(frame.stream_id, frame.window_increment) for frame in updates] == [(0, count * 16_384)]


def test_a_window_below_nothing_is_paid_off_first() -> None:
    exchange, server = pair(initial_window_size=10)
    stream_id = send(exchange, bytes(30))
    server.talk(exchange)
    assert len(server.bodies[stream_id]) == 10
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2})
    server.talk(exchange)
    server.h2.increment_flow_control_window(8, stream_id)
    server.talk(exchange)
    assert len(server.bodies[stream_id]) == 10, "8 below nothing, 8 more"
    server.h2.increment_flow_control_window(1, stream_id)
    server.talk(exchange)
    assert len(server.bodies[stream_id]) == 11
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 21})
    server.talk(exchange)
    assert len(server.bodies[stream_id]) == 30


def test_a_setting_holds_for_streams_opened_later() -> None:
    exchange, server = pair(initial_window_size=10)
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 3})
    server.talk(exchange)
    stream_id = send(exchange, b"0123456789")
    server.talk(exchange)
    assert server.bodies[stream_id] == b"012"


def test_what_was_sent_makes_room_in_the_connections_window() -> None:
    exchange, _ = pair()
    send(exchange, bytes(100))
    assert receive(exchange, raw(WINDOW_UPDATE, 0, 0, word(2**31 - 1 - FIRST_WINDOW + 100))) == []
    for size in (1, 30_000):
        send(exchange, bytes(size))
        assert receive(exchange, raw(WINDOW_UPDATE, 0, 0, word(size))) == []
    exchange.take_output()
    assert broken_by(exchange, raw(WINDOW_UPDATE, 0, 0, word(1))) == ErrorCodes.FLOW_CONTROL_ERROR


def test_frames_are_no_longer_than_the_peer_allows() -> None:
    exchange, server = pair(initial_window_size=2**20)
    exchange.open(request_fields("host", Request(path="/" + "p" * 40_000, body=bytes(40_000))), bytes(40_000))
    sent = parsed(exchange.take_output())
    assert [(type(frame).__name__, frame.body_len) for frame in sent[:3]] == [
        ("HeadersFrame", 16_384),
        ("ContinuationFrame", 16_384),
        ("ContinuationFrame", sent[2].body_len),
    ]
    assert [frame.body_len for frame in sent[3:]] == [16_384, 16_384, 7232]
    assert [sorted(frame.flags) for frame in sent] == [[], [], ["END_HEADERS"], [], [], ["END_STREAM"]]
    server.h2.update_settings({SettingCodes.MAX_FRAME_SIZE: 2**20})
    exchange.cancel(1)
    receive(exchange, server.h2.data_to_send())
    exchange.take_output()
    exchange.open(request_fields("host", Request(path="/" + "p" * 40_000, body=b"")), b"")
    (whole,) = parsed(exchange.take_output())
    assert isinstance(whole, HeadersFrame)
    assert whole.flags == {"END_HEADERS", "END_STREAM"}


def test_a_long_request_without_a_body_ends_with_its_first_frame() -> None:
    exchange, _ = pair()
    exchange.open(request_fields("host", Request(path="/" + "p" * 20_000, body=b"")), b"")
    assert [(frame[3], frame[4]) for frame in split(exchange.take_output())] == [
        (HEADERS, END_STREAM),
        (CONTINUATION, END_HEADERS),
    ]


def test_a_long_header_block_arrives() -> None:
    exchange, server = pair()
    path = "/" + "p" * 40_000
    server.h2.decoder.max_header_list_size = 2**20
    stream_id = exchange.open(request_fields("host", Request(path=path, body=b"")), b"")
    server.talk(exchange)
    (request,) = server.saw(RequestReceived)
    assert isinstance(request, RequestReceived)
    assert request.stream_id == stream_id
    assert dict(request.headers)[":path"] == path


@pytest.mark.parametrize("sizes", [[0], [100], [0, 4096], [65_536], [0, 65_536, 200]])
def test_a_peers_table_size_is_acknowledged_before_it_is_used(sizes: list[int]) -> None:
    exchange, server = pair()
    first = send(exchange)
    server.talk(exchange)
    for size in sizes:
        server.h2.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
    receive(exchange, server.h2.data_to_send())
    second = send(exchange)
    third = send(exchange)
    data = exchange.take_output()
    kinds = [type(frame) for frame in parsed(data)]
    assert kinds == [SettingsFrame] * len(sizes) + [HeadersFrame, DataFrame] * 2
    server.events += server.h2.receive_data(data)
    requests = {event.stream_id: event.headers for event in server.events if isinstance(event, RequestReceived)}
    assert requests[first] == requests[second] == requests[third]
    assert server.h2.decoder.header_table_size == min(4096, sizes[-1])


def test_our_body_is_not_sent_on_once_the_stream_is_done() -> None:
    exchange, server = pair(initial_window_size=1)
    answered, cancelled, reset, refused = (send(exchange) for _ in range(4))
    server.talk(exchange)
    server.respond(answered)
    server.h2.reset_stream(reset, ErrorCodes.CANCEL)
    server.talk(exchange, extra=raw(DATA, 0, refused, b"x"))
    exchange.cancel(cancelled)
    server.talk(exchange)
    resets = {event.stream_id: event.error_code for event in server.saw(StreamReset) if isinstance(event, StreamReset)}
    assert resets == {
        answered: ErrorCodes.NO_ERROR,
        cancelled: ErrorCodes.CANCEL,
        refused: ErrorCodes.PROTOCOL_ERROR,
    }
    before = len(server.saw(DataReceived))
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
    server.talk(exchange)
    assert len(server.saw(DataReceived)) == before == 4


def test_a_body_that_waits_for_the_connections_window_is_forgotten_with_its_stream() -> None:
    exchange, server = pair()
    first, second, third = (send(exchange, bytes(60_000)) for _ in range(3))
    server.talk(exchange)
    assert {stream: len(body) for stream, body in server.bodies.items()} == {first: 60_000, second: 5535}
    exchange.cancel(second)
    receive(exchange, raw(WINDOW_UPDATE, 0, 0, word(100_000)))
    sent = [frame.stream_id for frame in parsed(exchange.take_output()) if isinstance(frame, DataFrame)]
    assert set(sent) == {third}


def test_what_is_said_about_a_broken_peer_is_one_short_line() -> None:
    exchange, _ = busy()
    with pytest.raises(TransportError) as caught:
        receive(exchange, raw(HEADERS, ENDS, OPEN, b"\0\x7f\xff\xff\xff\xff\xff" + bytes(1000)))
    assert str(caught.value).startswith("the peer broke HTTP/2: HPACKDecodingError: ")
    assert len(str(caught.value)) < 150


def test_goaway_says_nothing_of_streams_that_are_done() -> None:
    exchange, _ = busy()
    (_, failed) = receive(exchange, goaway(0))
    assert only_failure([failed]).stream_id == OPEN
    assert isinstance(only_failure([failed]).error, NotProcessed)
    assert len(receive(exchange, goaway(0))) == 1


def test_a_goodbye_is_a_goaway_without_error() -> None:
    exchange, _ = busy()
    exchange.say_goodbye()
    (said,) = parsed(exchange.take_output())
    assert isinstance(said, GoAwayFrame)
    assert (said.error_code, said.last_stream_id) == (ErrorCodes.NO_ERROR, 0)


def test_what_is_sent_first_is_the_preface_and_our_settings() -> None:
    preface = Exchange().take_output()
    assert preface.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    frames: list[Frame] = parsed(preface[24:])
    assert isinstance(frames[0], SettingsFrame)
    assert frames[0].settings[SettingCodes.ENABLE_PUSH] == 0
    assert frames[0].settings[SettingCodes.INITIAL_WINDOW_SIZE] == 131_072
    assert isinstance(frames[1], WindowUpdateFrame)
    assert (frames[1].stream_id, frames[1].window_increment) == (0, MORE_WINDOW)
