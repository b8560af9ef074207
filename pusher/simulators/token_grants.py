"""Which assertions earn an access token, and what that is good for (RFC 7523, facts: providers.md 2)."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from pusher.simulators.authority import ServiceAccount
from pusher.simulators.json_web_token import JSONWebToken
from pusher.simulators.misbehaviour import Answer

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
#: What Google's own library names as audience, whatever token URI it is given.
_GOOGLE = "https://oauth2.googleapis.com/token"
_MAX_ASSERTION_LIFETIME_S = 3600
_CLOCK_SKEW_S = 300


@dataclass(frozen=True, slots=True)
class _Grant:
    project: str
    expires_at: float


class TokenGrants:
    """The accounts Google knows and the access tokens it gave out. Any thread may use it."""

    def __init__(self, *, lifetime_s: int = 3600, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lifetime_s = lifetime_s
        self._lock = threading.Lock()
        self._accounts: dict[str, ServiceAccount] = {}
        self._grants: dict[str, _Grant] = {}
        #: How many access tokens were granted.
        self.count = 0

    @property
    def projects(self) -> frozenset[str]:
        """The projects of the accounts known here."""
        with self._lock:
            return frozenset(account.fields["project_id"] for account in self._accounts.values())

    def add_account(self, account: ServiceAccount) -> None:
        """Know a service account."""
        with self._lock:
            self._accounts[account.fields["client_email"]] = account

    def project_of(self, access_token: str) -> str | None:
        """Return the project that a valid access token may send for, None for any other token."""
        with self._lock:
            grant = self._grants.get(access_token)
        return grant.project if grant is not None and grant.expires_at > self._now() else None

    def revoke_all(self) -> None:
        """Have no access token be valid any more."""
        with self._lock:
            self._grants.clear()

    def grant(self, form: str, audience: str) -> Answer:
        """Answer the form of a token request, whose assertion must be meant for `audience` or Google by name."""
        fields = {name: values[0] for name, values in parse_qs(form).items() if len(values) == 1}
        if fields.get("grant_type") != _GRANT_TYPE:
            return _error("unsupported_grant_type", "Invalid grant_type")
        token = JSONWebToken.parse(fields.get("assertion", ""))
        with self._lock:
            account = None if token is None else self._accounts.get(str(token.claims.get("iss")))
        if token is None or account is None:
            return _error("invalid_grant", "Invalid grant: account not found")
        if token.claims.get("scope") != _SCOPE:
            return _error("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        fault = self._assertion_fault(token, account, audience)
        if fault is not None:
            return _error("invalid_grant", fault)
        return json_answer(200, self._new_token(account))

    def _new_token(self, account: ServiceAccount) -> Mapping[str, object]:
        access_token = f"ya29.{secrets.token_urlsafe(96)}"
        grant = _Grant(account.fields["project_id"], self._now() + self._lifetime_s)
        with self._lock:
            self.count += 1
            self._grants[access_token] = grant
        return {"access_token": access_token, "expires_in": self._lifetime_s, "token_type": "Bearer"}

    def _assertion_fault(self, token: JSONWebToken, account: ServiceAccount, audience: str) -> str | None:
        if token.header.get("kid") != account.fields["private_key_id"]:
            return "Invalid JWT: no such key"
        if not token.verified_by(account.public_key):
            return "Invalid JWT Signature."
        if token.claims.get("aud") not in {audience, _GOOGLE}:
            return "Invalid JWT: wrong audience"
        issued_at, expires_at = token.claims.get("iat"), token.claims.get("exp")
        if not isinstance(issued_at, int) or not isinstance(expires_at, int):
            return "Invalid JWT: iat and exp are needed"
        now = self._now()
        short = 0 < expires_at - issued_at <= _MAX_ASSERTION_LIFETIME_S
        if not short or now < issued_at - _CLOCK_SKEW_S or now >= expires_at:
            return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        return None


def json_answer(status: int, value: Mapping[str, object]) -> Answer:
    """Return an answer with a JSON object."""
    headers = (("content-type", "application/json; charset=utf-8"), ("cache-control", "no-store"))
    return Answer(status=status, headers=headers, body=json.dumps(value).encode())


def _error(code: str, description: str) -> Answer:
    return json_answer(400, {"error": code, "error_description": description})
