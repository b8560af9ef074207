"""Which responses count (RFC 9113 8.1, 8.2, 8.3), and which are refused, with what."""

from collections.abc import Sequence

import pytest
from h2.errors import ErrorCodes

from pusher.http2.announced import MAX_BODY_BYTES, MAX_HEADER_BYTES, STREAM_WINDOW
from pusher.http2.header_blocks import HeaderBlock
from pusher.http2.reply import Reply, StreamError
from pusher.http2.request import Response

Fields = Sequence[tuple[bytes, bytes]]
OK: Fields = [(b":status", b"200")]


def block(fields: Fields, *, ends: bool = False) -> HeaderBlock:
    return HeaderBlock(stream_id=1, ends=ends, fields=fields)


def response(fields: Fields, body: bytes = b"") -> Response:
    reply = Reply()
    reply.take_block(block(fields, ends=not body))
    if body:
        reply.take_data(body, len(body))
    return reply.complete()


def refused(fields: Fields, *, ends: bool = False, after: Sequence[HeaderBlock] = ()) -> ErrorCodes:
    reply = Reply()
    for earlier in after:
        reply.take_block(earlier)
    with pytest.raises(StreamError) as caught:
        reply.take_block(block(fields, ends=ends))
    return caught.value.code


def test_a_response_is_its_status_its_headers_and_its_body() -> None:
    fields = [(b":status", b"410"), (b"apns-id", b"7"), (b"x", b""), (b"apns-id", b"8")]
    assert response(fields, b"{}") == Response(
        status=410, headers=(("apns-id", "7"), ("x", ""), ("apns-id", "8")), body=b"{}"
    )


@pytest.mark.parametrize("name", [b"!", b"a-b", b"~", b"x_1", b"te"])
@pytest.mark.parametrize("value", [b"", b"a b", b"a\tb", b"\xff", b"\x7f", b'":'])
def test_odd_headers_are_headers(name: bytes, value: bytes) -> None:
    assert response([*OK, (name, value)]).headers == ((name.decode(), value.decode("utf-8", "replace")),)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"x", b"y")],
        [(b":status", b"")],
        [(b":status", b"20")],
        [(b":status", b"2000")],
        [(b":status", b"2x0")],
        [(b":status", b"099")],
        [(b":status", b"+20")],
        [(b":status", b"200\n")],
        [(b":status", "\u0662\u0660\u0660".encode())],
        [(b":status", b"200"), (b":status", b"200")],
        [(b":status", b""), (b":status", b"200")],
        [(b"x", b"y"), (b":status", b"200")],
        [*OK, (b":path", b"/")],
        [*OK, (b":custom", b"x")],
        [*OK, (b":", b"x")],
    ],
)
def test_a_status_stands_first_once_and_alone(fields: Fields) -> None:
    assert refused(fields, ends=True) == ErrorCodes.PROTOCOL_ERROR


@pytest.mark.parametrize("name", [b"", b"X-a", b"a b", b"a\0", b"a\n", b"a:b", b"a\x7f", b"\xc3\xa4", b"a\x80"])
def test_a_name_that_is_none_spoils_the_response(name: bytes) -> None:
    assert refused([*OK, (name, b"x")]) == ErrorCodes.PROTOCOL_ERROR
    assert refused([(name, b"x")], ends=True, after=[block(OK)]) == ErrorCodes.PROTOCOL_ERROR


@pytest.mark.parametrize("value", [b" a", b"a ", b"\ta", b"a\t", b" ", b"\t", b"a\0b", b"a\rb", b"a\n", b"\n"])
def test_a_value_that_is_none_spoils_the_response(value: bytes) -> None:
    assert refused([*OK, (b"x", value)]) == ErrorCodes.PROTOCOL_ERROR


@pytest.mark.parametrize("name", [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"])
def test_a_header_of_http_1_spoils_the_response(name: bytes) -> None:
    assert refused([*OK, (name, b"x")]) == ErrorCodes.PROTOCOL_ERROR


def test_informational_responses_are_passed_over() -> None:
    reply = Reply()
    for status in (b"100", b"103", b"199"):
        reply.take_block(block([(b":status", status), (b"content-length", b"9")]))
    reply.take_block(block([*OK, (b"x", b"y")], ends=True))
    assert reply.complete() == Response(status=200, headers=(("x", "y"),))


def test_an_informational_response_cannot_be_the_last() -> None:
    assert refused([(b":status", b"100")], ends=True) == ErrorCodes.PROTOCOL_ERROR


def test_informational_responses_without_end_are_too_long() -> None:
    early = block([(b":status", b"100")])
    count = MAX_HEADER_BYTES // (32 + len(b":status100"))
    assert refused(early.fields, after=[early] * count) == ErrorCodes.ENHANCE_YOUR_CALM


def test_headers_may_be_so_long_and_no_longer() -> None:
    rest = MAX_HEADER_BYTES - (32 + 10) - (32 + 1)
    assert response([*OK, (b"x", b"y" * rest)]).status == 200
    assert refused([*OK, (b"x", b"y" * (rest + 1))]) == ErrorCodes.ENHANCE_YOUR_CALM
    headers = block([*OK, (b"x", b"y" * rest)])
    assert refused([(b"z", b"")], ends=True, after=[headers]) == ErrorCodes.ENHANCE_YOUR_CALM, "trailers count"


@pytest.mark.parametrize("fields", [[], [(b"grpc-status", b"0")]])
def test_trailers_add_nothing(fields: Fields) -> None:
    reply = Reply()
    reply.take_block(block([*OK, (b"x", b"y")]))
    reply.take_data(b"ok", 2)
    reply.take_block(block(fields, ends=True))
    assert reply.complete() == Response(status=200, headers=(("x", "y"),), body=b"ok")


@pytest.mark.parametrize(("fields", "ends"), [([(b"x", b"y")], False), (OK, True), (OK, False), ([(b":x", b"")], True)])
def test_trailers_end_the_response_and_hold_no_status(fields: Fields, ends: bool) -> None:
    assert refused(fields, ends=ends, after=[block(OK)]) == ErrorCodes.PROTOCOL_ERROR


def test_a_body_needs_headers_before_it() -> None:
    for earlier in ([], [block([(b":status", b"103")])]):
        reply = Reply()
        for informational in earlier:
            reply.take_block(informational)
        with pytest.raises(StreamError) as caught:
            reply.take_data(b"", 0)
        assert caught.value.code == ErrorCodes.PROTOCOL_ERROR


def test_a_body_may_be_so_long_and_no_longer() -> None:
    assert len(response(OK, bytes(MAX_BODY_BYTES)).body) == MAX_BODY_BYTES
    with pytest.raises(StreamError, match="too long") as caught:
        response(OK, bytes(MAX_BODY_BYTES + 1))
    assert caught.value.code == ErrorCodes.ENHANCE_YOUR_CALM


def test_padding_counts_for_the_window() -> None:
    reply = Reply()
    reply.take_block(block(OK))
    for _ in range(STREAM_WINDOW // 256):
        reply.take_data(b"", 256)
    with pytest.raises(StreamError) as caught:
        reply.take_data(b"", 1)
    assert caught.value.code == ErrorCodes.FLOW_CONTROL_ERROR


@pytest.mark.parametrize(
    ("status", "lengths", "body", "sound"),
    [
        (b"200", [b"2"], b"{}", True),
        (b"200", [b"0"], b"", True),
        (b"200", [b"02", b"02"], b"{}", True),
        (b"204", [b"5"], b"", True),
        (b"304", [b"5"], b"", True),
        (b"304", [b"5"], b"{}", False),
        (b"200", [b"3"], b"{}", False),
        (b"200", [b"1"], b"{}", False),
        (b"200", [b"5"], b"", False),
        (b"200", [b"2", b"3"], b"{}", False),
        (b"200", [b"-2"], b"{}", False),
        (b"200", [b"2, 2"], b"{}", False),
        (b"200", [b""], b"", False),
        (b"200", [b"0x2"], b"{}", False),
        (b"200", ["\u0662".encode()], b"{}", False),
        (b"200", [b"9" * 5000], b"{}", False),
    ],
)
def test_a_content_length_is_the_bodys(status: bytes, lengths: list[bytes], body: bytes, sound: bool) -> None:
    fields = [(b":status", status), *((b"content-length", length) for length in lengths)]
    if sound:
        assert response(fields, body).body == body
        return
    with pytest.raises(StreamError) as caught:
        response(fields, body)
    assert caught.value.code == ErrorCodes.PROTOCOL_ERROR
