"""The phone's side of a session description."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.simulators.sip_session import session_answer
from tests.unit.simulators.sip_samples import OFFER


def media(description: bytes | None) -> list[str]:
    assert description is not None
    return [line for line in description.decode().splitlines() if line.startswith("m=")]


def test_the_first_codec_that_is_known_is_taken():
    assert media(session_answer(OFFER, "127.0.0.1")) == ["m=audio 9 RTP/AVP 8"]


def test_all_other_media_are_refused_in_their_place():
    offer = OFFER + b"m=video 6002 RTP/AVP 96\r\nm=audio 6004 RTP/AVP 0\r\n"
    assert media(session_answer(offer, "127.0.0.1")) == [
        "m=audio 9 RTP/AVP 8",
        "m=video 0 RTP/AVP 96",
        "m=audio 0 RTP/AVP 0",
    ]


def test_without_an_offer_the_phone_makes_one():
    assert media(session_answer(b"", "127.0.0.1")) == ["m=audio 9 RTP/AVP 0 8"]


@pytest.mark.parametrize(
    "line", [b"m=audio 6000 RTP/AVP 96", b"m=audio 6000 RTP/SAVP 0", b"m=video 6000 RTP/AVP 0", b"x"]
)
def test_without_a_common_codec_there_is_no_answer(line: bytes):
    assert session_answer(b"v=0\r\n" + line + b"\r\n", "127.0.0.1") is None


@given(st.binary())
def test_garbage_raises_nothing(offer: bytes):
    session_answer(offer, "127.0.0.1")
    session_answer(OFFER + offer, "127.0.0.1")
