"""Every row of APNs' answers, and what is in no row."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.http2.request import Response
from pusher.providers.apple.responses import ANSWERS, Kind, read_answer
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater
from tests.unit.providers.issued import NOW

#: Apple's page and facts/providers.md 1, apart from the code: what each answer must lead to.
EXPECTED = {
    (400, "BadDeviceToken"): FailureReason.TOKEN_MISMATCH,
    (400, "DeviceTokenNotForTopic"): FailureReason.TOKEN_MISMATCH,
    (400, "BadCollapseId"): FailureReason.REFUSED,
    (400, "BadExpirationDate"): FailureReason.REFUSED,
    (400, "BadMessageId"): FailureReason.REFUSED,
    (400, "BadPriority"): FailureReason.REFUSED,
    (400, "BadTopic"): FailureReason.REFUSED,
    (400, "DuplicateHeaders"): FailureReason.REFUSED,
    (400, "InvalidPushType"): FailureReason.REFUSED,
    (400, "MissingDeviceToken"): FailureReason.REFUSED,
    (400, "MissingTopic"): FailureReason.REFUSED,
    (400, "PayloadEmpty"): FailureReason.REFUSED,
    (400, "TopicDisallowed"): FailureReason.REFUSED,
    (400, "IdleTimeout"): TryLater,
    (403, "BadCertificate"): FailureReason.CREDENTIAL_REFUSED,
    (403, "BadCertificateEnvironment"): FailureReason.CREDENTIAL_REFUSED,
    (403, "BadEnvironmentKeyIdInToken"): FailureReason.CREDENTIAL_REFUSED,
    (403, "BadEnvironmentKeyInToken"): FailureReason.CREDENTIAL_REFUSED,
    (403, "ExpiredProviderToken"): FailureReason.CREDENTIAL_REFUSED,
    (403, "Forbidden"): FailureReason.CREDENTIAL_REFUSED,
    (403, "InvalidProviderToken"): FailureReason.CREDENTIAL_REFUSED,
    (403, "MissingProviderToken"): FailureReason.CREDENTIAL_REFUSED,
    (403, "UnrelatedKeyIdInToken"): FailureReason.CREDENTIAL_REFUSED,
    (404, "BadPath"): FailureReason.REFUSED,
    (405, "MethodNotAllowed"): FailureReason.REFUSED,
    (410, "ExpiredToken"): TokenDead,
    (410, "Unregistered"): TokenDead,
    (413, "PayloadTooLarge"): FailureReason.PAYLOAD_TOO_LARGE,
    (429, "TooManyProviderTokenUpdates"): TryLater,
    (429, "TooManyRequests"): TryLater,
    (500, "InternalServerError"): TryLater,
    (503, "ServiceUnavailable"): TryLater,
    (503, "Shutdown"): TryLater,
}
REMEDIES = {
    "IdleTimeout": Kind.NEW_CONNECTION,
    "ExpiredProviderToken": Kind.NEW_TOKEN,
    "UnrelatedKeyIdInToken": Kind.RESEND,
}


def outcome(status: int, body: Any, **headers: str) -> Outcome:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return read_answer(Response(status=status, headers=fields, body=content), "push-id", NOW).outcome


def test_table_is_complete() -> None:
    assert set(ANSWERS) == set(EXPECTED)


@pytest.mark.parametrize(("status", "reason"), EXPECTED)
def test_row(status: int, reason: str) -> None:
    expected = EXPECTED[status, reason]
    result = outcome(status, {"reason": reason})
    assert not isinstance(result, Delivered)
    assert result.code == reason
    if isinstance(expected, FailureReason):
        assert isinstance(result, Refused)
        assert result.reason is expected
    else:
        assert isinstance(result, expected)


@pytest.mark.parametrize(("status", "reason"), EXPECTED)
def test_remedy(status: int, reason: str) -> None:
    kind = read_answer(Response(status=status, body=json.dumps({"reason": reason}).encode()), "x", NOW).kind
    remedies = set(REMEDIES.values())
    assert (kind if kind in remedies else None) is REMEDIES.get(reason)


def test_accepted_carries_the_apns_id() -> None:
    assert outcome(200, b"", apns_id="EC1BF194-B3B2-424A") == Delivered(provider_ref="EC1BF194-B3B2-424A")
    assert outcome(200, b"") == Delivered(provider_ref="push-id")
    assert outcome(200, b"", apns_id="<script>") == Delivered(provider_ref="push-id")


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        (1_700_000_000_123, 1_700_000_000.123),
        (1_700_000_000_123.0, 1_700_000_000.123),
        (None, None),
        ("1700000000123", None),
        (True, None),
        (0, None),
        (-5, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        ([1], None),
    ],
)
def test_dead_since(timestamp: Any, seconds: float | None) -> None:
    assert outcome(410, {"reason": "Unregistered", "timestamp": timestamp}) == TokenDead(
        code="Unregistered", dead_since=seconds
    )


@pytest.mark.parametrize(("reason", "device"), [("TooManyRequests", True), ("TooManyProviderTokenUpdates", False)])
def test_retry_after(reason: str, device: bool) -> None:
    answer = outcome(429, {"reason": reason}, retry_after="7")
    assert answer == TryLater(code=reason, retry_after_s=7, about_device=device)
    dated = outcome(429, {"reason": reason}, retry_after="Mon, 04 May 2026 03:02:04 GMT")
    assert dated == TryLater(code=reason, retry_after_s=3, about_device=device)


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 403, 404, 410, 429, 500, 502, 503, 999])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff",
        b"[]",
        {"reason": 7},
        {"reason": None},
        {"reason": "New"},
        {"reason": "a\nb"},
        {"reason": "x" * 999},
    ],
)
def test_what_no_row_knows_is_retried_if_it_is_a_servers_trouble_and_never_dead(status: int, body: Any) -> None:
    result = outcome(status, body)
    if status == 200:
        assert isinstance(result, Delivered)
        return
    if 500 <= status <= 599:
        assert isinstance(result, TryLater)
        assert result.code in ("New", f"HTTP {status}")
        return
    assert isinstance(result, Refused)
    assert result.reason is FailureReason.REFUSED
    assert result.code in ("New", f"HTTP {status}")


def test_a_proxys_page_of_trouble_is_tried_again_when_it_says() -> None:
    page = b"<html><title>503 Service Temporarily Unavailable</title></html>"
    assert outcome(503, page, retry_after="3") == TryLater(code="HTTP 503", retry_after_s=3)
    assert outcome(502, page) == TryLater(code="HTTP 502")


@pytest.mark.parametrize("status", [400, 404, 200, 500])
def test_reason_alone_proves_nothing(status: int) -> None:
    assert not isinstance(outcome(status, {"reason": "Unregistered"}), TokenDead)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([r for _, r in EXPECTED]),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(["reason", "timestamp", "x"]), children)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([200, 400, 403, 410, 429, 500, 503]), _JSON)
def test_hostile_json_never_raises_and_kills_only_on_410(status: int, body: Any) -> None:
    result = outcome(status, body)
    assert not isinstance(result, TokenDead) or status == 410
