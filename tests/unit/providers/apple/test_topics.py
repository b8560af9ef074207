"""Apple's topic extension, honest and hostile."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.providers.apple.topics import read_topics
from tests.unit.providers.apple.der import element, sequence, text, topics_extension


def test_topics_in_order_without_their_kinds() -> None:
    assert read_topics(topics_extension("org.example.app", "org.example.app.voip")) == (
        "org.example.app",
        "org.example.app.voip",
    )


def test_long_lengths() -> None:
    topics = [f"org.example.app{n}" for n in range(200)]
    assert read_topics(topics_extension(*topics)) == tuple(topics)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30",
        text("org.example.app"),
        topics_extension("org.example.app")[:-1],
        b"\x30\x80" + text("org.example.app") + b"\x00\x00",
        b"\x30\x85\x00\x00\x00\x00\x01\x0c",
        sequence(element(0x0C, b"\xff\xfe")),
        sequence(text("")),
        sequence(text("org\x1b[2J")),
        sequence(b"\x0c\x7fa"),
    ],
)
def test_anything_else_is_no_topics(der: bytes) -> None:
    assert read_topics(der) == ()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 255))
def test_no_bytes_raise(junk: bytes, at: int, byte: int) -> None:
    good = bytearray(topics_extension("org.example.app", "org.example.app.voip"))
    good[at % len(good)] = byte
    for der in (junk, b"\x30" + junk, bytes(good)):
        assert isinstance(read_topics(der), tuple)
