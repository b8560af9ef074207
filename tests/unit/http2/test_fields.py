"""What of a request HPACK may remember, and what never goes out."""

import hpack
import pytest

from pusher.errors import NotProcessed
from pusher.http2.fields import PlainEncoder, request_fields
from pusher.http2.request import Request

REQUEST = Request(
    path="/3/device/aabb",
    headers=(
        ("authorization", "bearer secret"),
        ("apns-topic", "org.example.voip"),
        ("apns-id", "8a1c"),
        ("apns-expiration", "1700000000"),
    ),
    body=b'{"a":1}',
)


def test_a_request_becomes_a_json_post() -> None:
    fields = request_fields("api.push.apple.com", REQUEST)
    assert list(map(tuple, fields)) == [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"api.push.apple.com"),
        (b":path", b"/3/device/aabb"),
        (b"content-type", b"application/json"),
        (b"content-length", b"7"),
        (b"authorization", b"bearer secret"),
        (b"apns-topic", b"org.example.voip"),
        (b"apns-id", b"8a1c"),
        (b"apns-expiration", b"1700000000"),
    ]


def test_secrets_and_what_changes_with_every_push_stay_out_of_hpacks_table() -> None:
    encoder = PlainEncoder()
    encoder.encode(request_fields("host", REQUEST))
    remembered = dict(encoder.header_table.dynamic_entries)
    assert remembered == {
        b":authority": b"host",
        b"content-type": b"application/json",
        b"apns-topic": b"org.example.voip",
    }


def test_secrets_carry_the_never_indexed_mark_for_whoever_stands_between() -> None:
    block = PlainEncoder().encode(request_fields("host", REQUEST))
    decoded = hpack.Decoder().decode(block, raw=True)
    marked = {name for name, value in decoded if not decoded[list(decoded).index((name, value))].indexable}
    assert {b":path", b"authorization"} <= marked


def test_stable_fields_cost_a_byte_each_from_the_second_request_on() -> None:
    encoder = PlainEncoder()
    first = encoder.encode(request_fields("api.push.apple.com", REQUEST))
    second = encoder.encode(request_fields("api.push.apple.com", REQUEST))
    assert len(second) < len(first) - len("api.push.apple.com") - len("application/json")


@pytest.mark.parametrize("value", ["a\r\nb", "a\n", " a", "a ", "\x00", "a\tb", "a\x7f"])
def test_a_value_that_would_cost_the_connection_is_not_sent(value: str) -> None:
    request = Request(path="/", headers=(("apns-topic", value),), body=b"{}")
    with pytest.raises(NotProcessed, match="apns-topic"):
        request_fields("host", request)


@pytest.mark.parametrize(
    ("sizes", "announced"), [([0], [0]), ([1 << 20], []), ([0, 1 << 20], [0, 4096]), ([0, 0], [0])]
)
def test_the_table_follows_the_peer_but_never_beyond_the_default(sizes: list[int], announced: list[int]) -> None:
    encoder = PlainEncoder()
    for size in sizes:
        encoder.header_table_size = size
    assert encoder.table_size_changes == announced
    assert encoder.header_table_size == (announced[-1] if announced else 4096)
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = 4096
    fields = request_fields("host", REQUEST)
    assert decoder.decode(encoder.encode(fields), raw=True) == list(map(tuple, fields))
