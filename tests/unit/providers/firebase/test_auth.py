"""The access token grant, as asked for and as understood."""

import base64
import json
import time
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from pusher.clock import Deadline
from pusher.errors import GrantFailed
from pusher.providers.firebase.auth import ACCESS_TOKEN_AGES, issue_with, token_name
from pusher.providers.shared_secrets import Grant
from tests.unit.providers.firebase.canned import CannedTokenServer, session_with
from tests.unit.providers.issued import rsa_key, service_account


def ask(server: CannedTokenServer, deadline_s: float = 15.0) -> Grant:
    return issue_with(service_account(), session_with(server))(0.0, Deadline.after(deadline_s))


def failure(*script: Any) -> GrantFailed:
    """Return the error that follows the script, asked for once and without delay."""
    server, started = CannedTokenServer(*script), time.monotonic()
    with pytest.raises(GrantFailed) as failed:
        ask(server)
    assert len(server.grants) == 1
    assert time.monotonic() - started < 0.9
    assert "\n" not in str(failed.value)
    return failed.value


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_assertion_is_signed_for_the_messaging_scope() -> None:
    server = CannedTokenServer()
    assert ask(server) == Grant(text="granted", lifetime_s=3599)
    assert server.urls == ["https://oauth2.example.com/token"]
    (grant,) = server.grants
    assert grant["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, signature = grant["assertion"][0].split(".")
    content = json.loads(decode(claims))
    assert content["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert content["aud"] == "https://oauth2.example.com/token"
    assert content["iss"] == service_account()["client_email"]
    rsa_key().public_key().verify(decode(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(("deadline_s", "most_s"), [(60, 5), (2, 2)])
def test_request_is_bounded(deadline_s: float, most_s: float) -> None:
    server = CannedTokenServer()
    ask(server, deadline_s)
    assert most_s - 1 < server.timeouts[0] <= most_s


def test_no_time_left_asks_nobody() -> None:
    server = CannedTokenServer()
    with pytest.raises(GrantFailed) as failed:
        ask(server, 0.0)
    assert not failed.value.ours
    assert server.grants == []


def test_answer_that_drips_ends_with_the_deadline() -> None:
    server = CannedTokenServer((200, {"access_token": "t" * 2000, "expires_in": 3599}))
    server.pause_s = 0.05
    started = time.monotonic()
    with pytest.raises(GrantFailed, match="too slow"):
        ask(server, 0.2)
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    ("expires_in", "lifetime_s"),
    [
        (3599, 3599),
        ("600", 600),
        (10**12, 86_400),
        (None, 300),
        ("x", 300),
        (-1, 300),
        (True, 300),
        (float("nan"), 300),
    ],
)
def test_lifetime(expires_in: Any, lifetime_s: float) -> None:
    assert ask(CannedTokenServer((200, {"access_token": "t", "expires_in": expires_in}))).lifetime_s == lifetime_s


def test_refused_account_is_ours_and_says_why() -> None:
    error = failure((400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}))
    assert error.ours
    assert "invalid_grant, Invalid JWT Signature." in str(error)


def test_description_that_may_hold_our_assertion_is_not_repeated() -> None:
    for hint in ("x" * 50, "a\nb", "y " * 150, 7, {}):
        assert str(failure((400, {"error": "invalid_grant", "error_description": hint}))).endswith("invalid_grant")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_any_refusal_is_ours(status: int) -> None:
    assert failure((status, b"<html>")).ours


@pytest.mark.parametrize(
    "line",
    [
        (500, b""),
        (503, {"error": "server_error"}),
        (429, b""),
        (408, b""),
        (302, b""),
        (200, b"<html>"),
        (200, {}),
        (200, []),
        (200, {"access_token": ""}),
        (200, {"access_token": 7}),
        (200, {"access_token": "a\r\nb"}),
        (200, {"access_token": "t", "expires_in": 3599, "more": "x" * 100_000}),
        requests.ConnectionError("refused"),
        requests.Timeout("slow"),
    ],
)
def test_trouble_of_the_server_is_not_ours_and_is_not_repeated_at_once(line: Any) -> None:
    assert not failure(line).ours


def test_temporary_error_in_a_refusal_is_not_retried_by_the_library() -> None:
    assert failure((400, {"error": "temporarily_unavailable"}))


def test_ages() -> None:
    assert ACCESS_TOKEN_AGES.early_s == 5 * 60


def test_name_tells_accounts_apart_without_holding_them() -> None:
    name = token_name(service_account())
    assert token_name(service_account(client_email="other@x")) != name
    assert token_name(service_account(project_id="other")) == name
    assert service_account()["private_key"].splitlines()[1][:16] not in name
