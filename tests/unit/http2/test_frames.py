"""Frames are cut, packed and read byte by byte as RFC 9113 draws them."""

from itertools import pairwise

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, HeadersFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.http2 import frames
from pusher.http2.frames import Frame, FrameCutter, GoAway, PeerError
from tests.unit.http2.server import parsed, raw

FRAMES = st.builds(
    Frame,
    kind=st.integers(0, 255),
    flags=st.integers(0, 255),
    stream_id=st.integers(0, 2**31 - 1),
    payload=st.one_of(st.binary(max_size=30), st.just(bytes(16_384))),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 40_000), max_size=30))
def test_what_is_packed_is_cut_the_same_wherever_it_is_torn(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(frames.pack(*frame) for frame in sent)
    cutter = FrameCutter()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert [frame for start, end in pairwise(edges) for frame in cutter.cut(data[start:end])] == sent


def test_frames_are_packed_as_others_read_them() -> None:
    data = frames.pack(frames.DATA, frames.END_STREAM, 2**31 - 1, bytes(70_000))
    (frame,) = parsed(data)
    assert isinstance(frame, DataFrame)
    assert (frame.stream_id, frame.flags, frame.data) == (2**31 - 1, {"END_STREAM"}, bytes(70_000))


def test_a_frame_that_is_too_long_is_refused_as_soon_as_its_length_is_there() -> None:
    cutter = FrameCutter()
    sound = raw(0, 0, 1, bytes(16_384))
    cut = cutter.cut(sound + raw(0, 0, 1, bytes(16_385))[:9])
    assert len(next(cut).payload) == 16_384
    with pytest.raises(PeerError) as caught:
        next(cut)
    assert caught.value.code == ErrorCodes.FRAME_SIZE_ERROR


def test_the_reserved_bit_is_passed_over() -> None:
    (frame,) = FrameCutter().cut(raw(0, 0, 2**31 + 5, b"x"))
    assert frame.stream_id == 5


@pytest.mark.parametrize("kind", [frames.DATA, frames.HEADERS])
@pytest.mark.parametrize("padding", [0, 1, 255])
def test_padding_is_taken_off(kind: int, padding: int) -> None:
    payload = bytes([padding]) + b"content" + bytes(padding)
    assert frames.content(Frame(kind, frames.PADDED, 1, payload)) == b"content"


def test_priority_and_padding_are_taken_off_headers() -> None:
    sent = HeadersFrame(1, data=b"block", flags=["PRIORITY", "PADDED", "END_HEADERS"], pad_length=7, depends_on=3)
    (frame,) = FrameCutter().cut(sent.serialize())
    assert frames.content(frame) == b"block"


def test_a_flag_without_a_meaning_is_passed_over() -> None:
    assert frames.content(Frame(frames.DATA, 0xF7, 1, b"content")) == b"content"


@pytest.mark.parametrize(
    ("kind", "flags", "payload", "code"),
    [
        (frames.DATA, 0x8, b"", ErrorCodes.FRAME_SIZE_ERROR),
        (frames.DATA, 0x8, b"\1", ErrorCodes.PROTOCOL_ERROR),
        (frames.DATA, 0x8, b"\3xx", ErrorCodes.PROTOCOL_ERROR),
        (frames.HEADERS, 0x8, b"", ErrorCodes.FRAME_SIZE_ERROR),
        (frames.HEADERS, 0x8, b"\2\x88", ErrorCodes.PROTOCOL_ERROR),
        (frames.HEADERS, 0x20, b"\0\0\0\0", ErrorCodes.FRAME_SIZE_ERROR),
        (frames.HEADERS, 0x28, b"\1\0\0\0\0\0", ErrorCodes.PROTOCOL_ERROR),
    ],
)
def test_padding_or_priority_that_is_longer_than_its_frame_is_an_error(
    kind: int, flags: int, payload: bytes, code: ErrorCodes
) -> None:
    with pytest.raises(PeerError) as caught:
        frames.content(Frame(kind, flags, 1, payload))
    assert caught.value.code == code


@pytest.mark.parametrize("payload", [b"", b"\0\0\0", b"\0\0\0\0\0"])
def test_four_bytes_are_four_bytes(payload: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        frames.read_word(Frame(frames.RST_STREAM, 0, 1, payload))
    assert caught.value.code == ErrorCodes.FRAME_SIZE_ERROR


def test_goaway_is_read() -> None:
    frame = Frame(frames.GOAWAY, 0, 0, b"\x80\0\0\x05\0\0\0\x02why")
    assert frames.read_goaway(frame) == GoAway(last_stream_id=5, code=2, debug_data=b"why")


@pytest.mark.parametrize(
    "frame",
    [
        Frame(frames.GOAWAY, 0, 1, bytes(8)),
        Frame(frames.GOAWAY, 0, 0, bytes(7)),
        Frame(frames.PING, 0, 0, bytes(8)),
    ],
)
def test_what_is_no_proper_goaway_is_left_to_h2(frame: Frame) -> None:
    assert frames.read_goaway(frame) is None
