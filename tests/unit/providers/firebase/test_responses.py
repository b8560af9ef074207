"""Every row of FCM's answers, and what is in no row."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.http2.request import Response
from pusher.providers.firebase.responses import ANSWERS, Kind, read_answer
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater
from tests.unit.providers.issued import NOW

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"

#: Firebase's page and facts/providers.md 2, apart from the code: what each answer must lead to.
EXPECTED = {
    (404, "UNREGISTERED"): TokenDead,
    (400, "INVALID_ARGUMENT"): FailureReason.REFUSED,
    (403, "SENDER_ID_MISMATCH"): FailureReason.TOKEN_MISMATCH,
    (429, "QUOTA_EXCEEDED"): TryLater,
    (503, "UNAVAILABLE"): TryLater,
    (500, "INTERNAL"): TryLater,
    (401, "THIRD_PARTY_AUTH_ERROR"): FailureReason.CREDENTIAL_REFUSED,
    (401, None): FailureReason.CREDENTIAL_REFUSED,
    (403, None): FailureReason.CREDENTIAL_REFUSED,
    (404, None): FailureReason.REFUSED,
    (429, None): TryLater,
    (500, None): TryLater,
    (502, None): TryLater,
    (503, None): TryLater,
    (504, None): TryLater,
}


def error(code: str | None, message: str = "m", *more: Any, status: str = "STATUS") -> dict[str, Any]:
    """Return an error body as FCM writes it."""
    details = [*more] if code is None else [{"@type": FCM_ERROR, "errorCode": code}, *more]
    return {"error": {"code": 1, "message": message, "status": status, "details": details}}


def outcome(status: int, body: Any, **headers: str) -> Outcome:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return read_answer(Response(status=status, headers=fields, body=content), "push-id", NOW).outcome


def test_table_is_complete() -> None:
    assert set(ANSWERS) == set(EXPECTED)


@pytest.mark.parametrize(("status", "code"), EXPECTED)
def test_row(status: int, code: str | None) -> None:
    expected = EXPECTED[status, code]
    result = outcome(status, error(code))
    assert not isinstance(result, Delivered)
    assert result.code == (code or "STATUS")
    if isinstance(expected, FailureReason):
        assert isinstance(result, Refused)
        assert result.reason is expected
    else:
        assert isinstance(result, expected)


@pytest.mark.parametrize(("status", "code"), [key for key in EXPECTED if key[1] is None])
def test_html_is_read_by_its_status(status: int, code: None) -> None:
    result = outcome(status, b"<html>")
    assert not isinstance(result, Delivered)
    assert result.code == f"HTTP {status}"
    expected = EXPECTED[status, None]
    assert (result.reason is expected) if isinstance(result, Refused) else isinstance(result, TryLater)


def test_only_a_plain_401_asks_for_a_new_token() -> None:
    kinds = {key: row.kind for key, row in ANSWERS.items()}
    assert [key for key, kind in kinds.items() if kind is Kind.NEW_TOKEN] == [(401, None)]
    assert read_answer(Response(status=401, body=b"<html>"), "x", NOW).kind is Kind.NEW_TOKEN


def test_accepted_carries_the_name() -> None:
    name = "projects/example/messages/0:1500415314455276%31bd1c9631bd1c96"
    assert outcome(200, {"name": name}) == Delivered(provider_ref=name)
    for body in ({}, {"name": 7}, {"name": "a\nb"}, b"", b"<html>"):
        assert outcome(200, body) == Delivered(provider_ref="push-id")


@pytest.mark.parametrize(
    "body",
    [
        error("INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"),
        error("INVALID_ARGUMENT", "x is not a valid registration token."),
        error("INVALID_ARGUMENT", "m", {"@type": BAD_REQUEST, "fieldViolations": [{"field": "message.token"}]}),
    ],
)
def test_invalid_argument_that_blames_the_token_is_dead(body: Any) -> None:
    assert outcome(400, body) == TokenDead(code="INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "body",
    [
        error("INVALID_ARGUMENT", "Invalid data payload key: from"),
        error(
            "INVALID_ARGUMENT",
            "m",
            {"@type": BAD_REQUEST, "fieldViolations": [{"field": "message.android.ttl"}]},
        ),
        error("INVALID_ARGUMENT", "m", {"fieldViolations": [7, None, {"field": ["message.token"]}]}),
        # Not FCM's own error, though it borrows the word.
        {
            "error": {
                "details": [{"@type": "example.com/Error", "errorCode": "INVALID_ARGUMENT"}],
                "message": "not a valid registration token",
            }
        },
        # Not FCM's own error: perhaps the JSON was wrong altogether.
        error(None, "not a valid registration token", status="INVALID_ARGUMENT"),
    ],
)
def test_other_invalid_arguments_are_ours(body: Any) -> None:
    result = outcome(400, body)
    assert isinstance(result, Refused)
    assert result.reason is FailureReason.REFUSED


def test_404_without_fcms_word_is_never_dead() -> None:
    for body in (error(None, status="NOT_FOUND"), b"<html>", error("NEW"), {"error": "UNREGISTERED"}):
        result = outcome(404, body)
        assert isinstance(result, Refused)
        assert result.reason is FailureReason.REFUSED


def test_quota_waits_a_minute_unless_told() -> None:
    body = error("QUOTA_EXCEEDED")
    assert outcome(429, body) == TryLater(code="QUOTA_EXCEEDED", retry_after_s=60)
    assert outcome(429, body, retry_after="7") == TryLater(code="QUOTA_EXCEEDED", retry_after_s=7)


def test_unavailable_waits_as_told() -> None:
    body = error("UNAVAILABLE")
    assert outcome(503, body) == TryLater(code="UNAVAILABLE")
    dated = outcome(503, body, retry_after="Mon, 04 May 2026 03:02:04 GMT")
    assert dated == TryLater(code="UNAVAILABLE", retry_after_s=3)


@pytest.mark.parametrize("status", [201, 301, 400, 405, 410, 418, 999])
def test_what_no_row_knows_is_neither_retried_nor_dead(status: int) -> None:
    for body in (b"", b"<html>", error("UNREGISTERED"), error("NEW_CODE")):
        result = outcome(status, body)
        assert isinstance(result, Refused)
        assert result.reason is FailureReason.REFUSED


def test_a_servers_trouble_that_no_row_knows_is_tried_again() -> None:
    assert outcome(520, b"<html>", retry_after="3") == TryLater(code="HTTP 520", retry_after_s=3)


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from([FCM_ERROR, BAD_REQUEST, "UNREGISTERED", "INVALID_ARGUMENT", "message.token"])
)
_KEYS = st.sampled_from(
    ["error", "details", "@type", "errorCode", "fieldViolations", "field", "message", "status", "name"]
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([200, 400, 401, 403, 404, 429, 500, 503]), _JSON, st.booleans())
def test_hostile_json_never_raises_and_kills_only_on_404_and_400(status: int, body: Any, wrap: bool) -> None:
    result = outcome(status, {"error": body} if wrap else body)
    assert not isinstance(result, TokenDead) or status in (400, 404)
