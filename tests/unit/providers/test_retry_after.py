"""The Retry-After header in all its forms."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.http2.request import Response
from pusher.providers.retry_after import retry_after_s
from tests.unit.providers.issued import NOW


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Mon, 04 May 2026 03:02:31 GMT", 30.0),
        ("Mon, 04 May 2026 03:02:31 -0000", 30.0),
        ("Mon, 04 May 2026 03:01:01 GMT", 0.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("Mon, 99 May 2026 03:02:31 GMT", None),
        ("Mon, 04 May 99999 03:02:31 GMT", None),
    ],
)
def test_seconds_and_dates(value: str, seconds: float | None) -> None:
    assert retry_after_s(Response(status=429, headers=(("retry-after", value),)), NOW) == seconds


def test_absent_header_is_none() -> None:
    assert retry_after_s(Response(status=429), NOW) is None


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789 ,:+-GMTonMayJul", max_size=40))
def test_no_value_raises(value: str) -> None:
    seconds = retry_after_s(Response(status=429, headers=(("retry-after", value),)), NOW)
    assert seconds is None or seconds >= 0
