"""Header blocks come in pieces, have an end, and keep HPACK's table whole."""

import hpack
import pytest
from h2.errors import ErrorCodes

from pusher.http2 import frames
from pusher.http2.announced import MAX_BLOCK_BYTES
from pusher.http2.frames import Frame, PeerError
from pusher.http2.header_blocks import HeaderBlock, HeaderBlocks

FIELDS = [(b":status", b"200"), (b"x", b"y" * 50)]


def encoded(fields: list[tuple[bytes, bytes]] = FIELDS) -> bytes:
    return hpack.Encoder().encode(fields)


def refused(blocks: HeaderBlocks, frame: Frame) -> ErrorCodes:
    with pytest.raises(PeerError) as caught:
        blocks.take(frame)
    return caught.value.code


@pytest.mark.parametrize("ends", [False, True])
def test_one_frame_is_a_block(ends: bool) -> None:
    flags = frames.END_HEADERS | (frames.END_STREAM if ends else 0)
    block = HeaderBlocks().take(Frame(frames.HEADERS, flags, 5, encoded()))
    assert block == HeaderBlock(
        stream_id=5, ends=ends, fields=tuple(map(hpack.HeaderTuple, *zip(*FIELDS, strict=True)))
    )


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_a_block_is_put_together_from_its_pieces(size: int) -> None:
    blocks, data = HeaderBlocks(), encoded()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert blocks.take(Frame(frames.HEADERS, frames.END_STREAM, 5, pieces[0])) is None
    for piece in pieces[1:]:
        assert blocks.incomplete
        # END_STREAM means nothing on CONTINUATION.
        assert blocks.take(Frame(frames.CONTINUATION, 0, 5, piece)) is None
    block = blocks.take(Frame(frames.CONTINUATION, frames.END_HEADERS, 5, b""))
    assert not blocks.incomplete
    assert block is not None
    assert block.ends
    assert list(block.fields) == FIELDS


@pytest.mark.parametrize(
    "frame",
    [
        Frame(frames.CONTINUATION, frames.END_HEADERS, 7, b""),
        Frame(frames.HEADERS, frames.END_HEADERS, 5, b"\x88"),
        Frame(frames.DATA, 0, 5, b""),
        Frame(frames.RST_STREAM, 0, 5, bytes(4)),
        Frame(frames.PING, 0, 0, bytes(8)),
        Frame(0xFA, 0, 5, b""),
    ],
)
def test_nothing_may_come_between_the_pieces_of_a_block(frame: Frame) -> None:
    blocks = HeaderBlocks()
    blocks.take(Frame(frames.HEADERS, 0, 5, b"\x88"))
    assert refused(blocks, frame) == ErrorCodes.PROTOCOL_ERROR


def test_a_continuation_of_nothing_is_an_error() -> None:
    assert refused(HeaderBlocks(), Frame(frames.CONTINUATION, frames.END_HEADERS, 5, b"")) == ErrorCodes.PROTOCOL_ERROR


@pytest.mark.parametrize("size", [0, 1, 16_384])
def test_continuations_without_end_are_not_collected_for_ever(size: int) -> None:
    blocks = HeaderBlocks()
    blocks.take(Frame(frames.HEADERS, 0, 5, b""))
    more = Frame(frames.CONTINUATION, 0, 5, bytes(size))
    for _ in range(MAX_BLOCK_BYTES // (9 + size)):
        assert blocks.take(more) is None
    assert refused(blocks, more) == ErrorCodes.ENHANCE_YOUR_CALM


def test_a_small_block_that_unpacks_to_a_huge_list_is_not_unpacked() -> None:
    blocks = HeaderBlocks()
    blocks.take(Frame(frames.HEADERS, frames.END_HEADERS, 1, encoded([(b"x", b"y" * 4000)])))
    bomb = Frame(frames.HEADERS, frames.END_HEADERS, 3, b"\xbe" * 1000)
    assert refused(blocks, bomb) == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff\xff\xff", b"\xfe", b"\x80", b"\x00\x7f", b"\x88\x20", b"\x3f\xff\x7f"]
)
def test_what_is_no_hpack_costs_the_connection(data: bytes) -> None:
    blocks = HeaderBlocks()
    assert refused(blocks, Frame(frames.HEADERS, frames.END_HEADERS, 1, data)) == ErrorCodes.COMPRESSION_ERROR
