"""What of a request goes out, what of it HPACK may remember, and that a peer reads the same."""

from itertools import pairwise

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import NotProcessed
from pusher.http2.fields import Field, FieldEncoder, request_fields
from pusher.http2.request import Request

REQUEST = Request(
    path="/3/device/aabb",
    headers=(
        ("authorization", "bearer secret"),
        ("apns-topic", "org.example.voip"),
        ("apns-id", "8a1c"),
        ("apns-expiration", "1700000000"),
        ("apns-collapse-id", "call"),
    ),
    body=b'{"a":1}',
)
#: A dynamic table size update to 0, which empties the table (RFC 7541 6.3).
EMPTIED = b"\x20"


def fields_of(*headers: Field) -> list[Field]:
    return request_fields("host", Request(path="/", headers=headers, body=b"{}"))


def decoded(decoder: hpack.Decoder, block: bytes) -> list[Field]:
    return [(name.decode(), value.decode()) for name, value in decoder.decode(block, raw=True)]


def test_a_request_becomes_a_json_post() -> None:
    assert request_fields("api.push.apple.com", REQUEST) == [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "api.push.apple.com"),
        (":path", "/3/device/aabb"),
        ("content-type", "application/json"),
        ("content-length", "7"),
        ("authorization", "bearer secret"),
        ("apns-topic", "org.example.voip"),
        ("apns-id", "8a1c"),
        ("apns-expiration", "1700000000"),
        ("apns-collapse-id", "call"),
    ]


def test_a_peer_reads_the_fields_in_their_order() -> None:
    fields = request_fields("host", REQUEST)
    encoder, decoder = FieldEncoder(), hpack.Decoder()
    assert decoded(decoder, encoder.encode(fields)) == fields
    assert decoded(decoder, encoder.encode(fields)) == fields


def test_secrets_and_what_changes_with_every_push_stay_out_of_hpacks_table() -> None:
    decoder = hpack.Decoder()
    decoder.decode(FieldEncoder().encode(request_fields("host", REQUEST)))
    assert dict(decoder.header_table.dynamic_entries) == {
        b":authority": b"host",
        b"content-type": b"application/json",
        b"apns-topic": b"org.example.voip",
    }


def test_secrets_carry_the_never_indexed_mark_for_whoever_stands_between() -> None:
    block = FieldEncoder().encode(request_fields("host", REQUEST))
    marked = {field[0] for field in hpack.Decoder().decode(block) if not field.indexable}
    assert marked == {":path", "authorization", "apns-id", "apns-expiration", "apns-collapse-id", "content-length"}


def test_stable_fields_cost_a_byte_each_from_the_second_request_on() -> None:
    encoder = FieldEncoder()
    fields = [(name, value) for name, value in request_fields("host", REQUEST) if name in STABLE]
    encoder.encode(fields)
    assert encoder.encode(fields) == b"\x83\x87\xc0\xbf\xbe"


STABLE = {":method", ":scheme", ":authority", "content-type", "apns-topic"}


@pytest.mark.parametrize("value", ["a\r\nb", "a\n", " a", "a ", "\x00", "a\tb", "a\x7f", "\ud800", "\u2028"])
def test_a_value_that_would_cost_the_connection_is_not_sent(value: str) -> None:
    with pytest.raises(NotProcessed, match="apns-topic"):
        fields_of(("apns-topic", value))


@pytest.mark.parametrize("name", ["", "Apns-Topic", "apns topic", "apns\n", ":path", "a:b", "x\u00e4", "a\x00"])
def test_a_name_that_would_cost_the_connection_is_not_sent(name: str) -> None:
    with pytest.raises(NotProcessed, match="name"):
        fields_of((name, "x"))


def test_a_path_or_an_authority_that_would_cost_the_connection_is_not_sent() -> None:
    with pytest.raises(NotProcessed, match=":path"):
        request_fields("host", Request(path="/a\nb", body=b""))
    with pytest.raises(NotProcessed, match=":authority"):
        request_fields("a\nb", Request(path="/", body=b""))


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 254, 255, 16_383, 100_000])
def test_values_of_any_length_arrive(size: int) -> None:
    fields = fields_of(("authorization", "a" * size), ("x", "b" * size))
    block = FieldEncoder().encode(fields)
    assert decoded(hpack.Decoder(max_header_list_size=2**20), block) == fields


@pytest.mark.parametrize(
    ("sizes", "announced"),
    [
        ([0], b"\x20"),
        ([1 << 20], b""),
        ([0, 1 << 20], b"\x20\x3f\xe1\x1f"),
        ([0, 0], b"\x20"),
        ([100, 50], b"\x20\x3f\x13"),
        ([50, 4096], b"\x20\x3f\xe1\x1f"),
        ([30], b"\x20\x3e"),
    ],
)
def test_the_table_follows_the_peer_but_never_beyond_the_default(sizes: list[int], announced: bytes) -> None:
    encoder, decoder = FieldEncoder(), hpack.Decoder()
    fields = request_fields("host", REQUEST)
    assert decoded(decoder, encoder.encode(fields)) == fields
    for size in sizes:
        encoder.header_table_size = size
    decoder.max_allowed_table_size = sizes[-1]
    block = encoder.encode(fields)
    assert block.startswith(announced + b"\x83")
    assert decoded(decoder, block) == fields
    assert decoder.header_table_size == min(4096, sizes[-1])
    assert encoder.header_table_size == min(4096, sizes[-1])
    assert encoder.encode(fields)[:1] == b"\x83", "it is announced once"


def test_a_size_that_was_lowered_and_raised_between_two_blocks_empties_the_table() -> None:
    encoder, decoder = FieldEncoder(), hpack.Decoder()
    decoder.decode(encoder.encode(fields_of(("x", "old"))))
    encoder.header_table_size = 0
    encoder.header_table_size = 4096
    decoder.decode(encoder.encode(fields_of(("x", "new"))))
    assert (b"x", b"old") not in decoder.header_table.dynamic_entries


def test_a_full_table_keeps_what_it_has_and_the_rest_is_sent_as_it_is() -> None:
    encoder, decoder = FieldEncoder(), hpack.Decoder()
    first = fields_of(("x", "first"))
    assert decoded(decoder, encoder.encode(first)) == first
    for number in range(300):
        fields = fields_of(("x", f"value {number}"))
        assert decoded(decoder, encoder.encode(fields)) == fields
        assert decoded(decoder, encoder.encode(first)) == first
    assert (b"x", b"first") in decoder.header_table.dynamic_entries
    assert (b"x", b"value 299") not in decoder.header_table.dynamic_entries
    assert len(encoder.encode(first)) < len(encoder.encode(fields_of(("x", "value 299"))))


def test_the_table_counts_bytes_and_not_characters() -> None:
    encoder, decoder = FieldEncoder(), hpack.Decoder()
    for number in (0, 1, 2, 0):
        fields = [("x", "\u00fc" * 1000 + str(number))]
        assert decoded(decoder, encoder.encode(fields)) == fields
    assert len(decoder.header_table.dynamic_entries) == 2


def test_an_entry_that_just_fits_is_indexed_and_one_byte_more_is_not() -> None:
    for spare, indexed in ((0, True), (1, False)):
        encoder, decoder = FieldEncoder(), hpack.Decoder()
        fields = [("x", "a" * (4096 - 32 - 1 + spare))]
        for _ in range(2):
            assert decoded(decoder, encoder.encode(fields)) == fields
        assert bool(decoder.header_table.dynamic_entries) is indexed


NAMES = st.sampled_from(["authorization", "apns-id", "apns-topic", "apns-priority", "user-agent", "x-a", "x-b", "\x7e"])
VALUES = st.one_of(
    st.sampled_from(["", "10", "voip", "org.example.voip", "a" * 1000, "\u00fc" * 700]),
    st.text(max_size=200).filter(lambda text: text.isprintable() and text == text.strip()),
)
REQUESTS = st.builds(
    lambda path, headers, body: Request(path="/" + path, headers=tuple(headers), body=body),
    VALUES,
    st.lists(st.tuples(NAMES, VALUES), max_size=8),
    st.binary(max_size=3),
)
SIZES = st.one_of(st.sampled_from([0, 31, 64, 100, 1000, 4095, 4096, 4097, 2**32 - 1]), st.integers(0, 5000))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(REQUESTS, SIZES), max_size=25))
def test_hpack_reads_what_we_write_whatever_the_table_sizes(steps: list[Request | int]) -> None:
    encoder, decoder = FieldEncoder(), hpack.Decoder(max_header_list_size=2**20)
    smallest = 4096
    for step in steps:
        if isinstance(step, int):
            encoder.header_table_size = step
            decoder.max_allowed_table_size = step
            smallest = min(smallest, step)
            continue
        fields = request_fields("host:8443", step)
        block = encoder.encode(fields)
        if smallest < min(4096, decoder.header_table_size):
            assert block.startswith(EMPTIED), "the smallest size since the last block must be told"
        assert decoded(decoder, block) == fields
        assert not {b":path", b"authorization", b"apns-id"} & dict(decoder.header_table.dynamic_entries).keys()
        smallest = decoder.header_table_size


def test_fields_that_repeat_never_grow_the_block() -> None:
    encoder = FieldEncoder()
    sizes = [len(encoder.encode(request_fields("host", REQUEST))) for _ in range(200)]
    assert all(after <= before for before, after in pairwise(sizes))
