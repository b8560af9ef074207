"""What is logged about a GOAWAY is one safe line, whatever the peer put into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.http2.frames import GoAway
from pusher.http2.peer_words import goaway_reason


@pytest.mark.parametrize(
    ("code", "debug_data", "reason"),
    [
        (0, b"", "NO_ERROR"),
        (0, b'{"reason":"Shutdown"}', "NO_ERROR (Shutdown)"),
        (11, b"too_many_pings", "ENHANCE_YOUR_CALM (too_many_pings)"),
        (999, b'{"reason":7}', 'error 999 ({"reason":7})'),
        (2, b"[" * 100_000, "INTERNAL_ERROR (" + "[" * 100 + ")"),
        (1, b'{"reason":"a\\nb"}', "PROTOCOL_ERROR (a?b)"),
    ],
)
def test_the_reason_names_the_code_and_what_the_peer_said(code: int, debug_data: bytes, reason: str) -> None:
    assert goaway_reason(GoAway(last_stream_id=0, code=code, debug_data=debug_data)) == reason


@given(st.integers(0, 2**32 - 1), st.binary(max_size=300))
def test_the_reason_is_printable_and_short(code: int, debug_data: bytes) -> None:
    reason = goaway_reason(GoAway(last_stream_id=0, code=code, debug_data=debug_data))
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) < 150
