"""The OAuth access token for FCM: granted for a service account, shared by all (facts: providers.md 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from google.auth import transport
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import service_account

from pusher.clock import Deadline
from pusher.errors import GrantFailed
from pusher.providers.json_body import read_object, word, write_json
from pusher.providers.pools import ANSWER_WITHIN_S
from pusher.providers.shared_secrets import Ages, Grant, Issue
from pusher.redact import digest

#: Refreshed five minutes early, and at any age once FCM refuses it.
ACCESS_TOKEN_AGES = Ages(early_s=5 * 60, min_interval_s=0, lock_s=ANSWER_WITHIN_S + 1)
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
#: An hour is Google's; a token without an end, or with an odd one, is trusted for five minutes.
_LONGEST_S = 24 * 60 * 60
_UNKNOWN_LIFETIME_S = 5 * 60
_LARGEST_ANSWER = 16 * 1024


def token_name(account: Mapping[str, str]) -> str:
    """Return the name under which the account's token is shared; it says nothing about the key itself."""
    key = "".join(account["private_key"].split())
    return "firebase:" + digest(f"{account['client_email']} {account['token_uri']} {key}")


def issue_with(account: Mapping[str, str], session: requests.Session) -> Issue:
    """Return what asks the account's token server for a token; the account passed `check_fields`."""

    def issue(now: float, deadline: Deadline) -> Grant:
        fields = ("client_email", "token_uri", "private_key", "private_key_id")
        credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            {name: account[name] for name in fields},
            scopes=[_SCOPE],
            # The library always names Google's own address; the audience is who is asked (RFC 7523 3).
            additional_claims={"aud": account["token_uri"]},
        )
        server = _TokenServer(session, deadline.at_most(ANSWER_WITHIN_S))
        try:
            credentials.refresh(server)
        except GoogleAuthError as error:
            raise GrantFailed("google-auth could not use the service account", ours=True) from error
        return Grant(text=credentials.token, lifetime_s=server.lifetime_s)

    return issue


@dataclass(frozen=True, slots=True, repr=False)
class _Answer(transport.Response):
    """What google-auth reads."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _TokenServer(transport.Request):
    """One request within the deadline.

    google-auth answers a 503 by sleeping and asking again, and trusts whatever a 200 holds. So nothing
    reaches it but a checked token; every other answer leaves through it as `GrantFailed`.
    """

    def __init__(self, session: requests.Session, deadline: Deadline) -> None:
        self._session = session
        self._deadline = deadline
        #: Seconds for which the token that was granted is good.
        self.lifetime_s = 0.0

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> _Answer:
        try:
            status, data = self._exchange(method, url, body, headers)
        except requests.RequestException as error:
            raise GrantFailed(f"the token server gave no answer: {type(error).__name__}", ours=False) from error
        answer = read_object(data)
        token = answer.get("access_token")
        if status != 200:
            raise _refusal(status, answer)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token or not token:
            raise GrantFailed("the token server answered without an access token", ours=False)
        self.lifetime_s = _lifetime_s(answer.get("expires_in"))
        return _Answer(200, {}, write_json({"access_token": token, "expires_in": int(self.lifetime_s)}))

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        """Return status and body. Redirects are not followed: the assertion is for one address only."""
        remaining_s = self._deadline.remaining_s()
        if remaining_s <= 0:
            raise GrantFailed("there was no time left to ask for an access token", ours=False)
        with self._session.request(
            method, url, data=body, headers=headers, timeout=remaining_s, allow_redirects=False, stream=True
        ) as response:
            data = bytearray()
            # The library's time limit starts anew with every byte that arrives, so the pieces are small.
            for piece in response.iter_content(64):
                data += piece
                if self._deadline.passed or len(data) > _LARGEST_ANSWER:
                    raise GrantFailed("the token server's answer is too slow or too long", ours=False)
            return response.status_code, bytes(data)


def _refusal(status: int, answer: Mapping[str, Any]) -> GrantFailed:
    """Return what a status other than 200 means: 4xx refuses the account, all else passes."""
    ours = 400 <= status < 500 and status not in (408, 429)
    code = word(answer.get("error")) or f"HTTP {status}"
    hint = answer.get("error_description")
    # Google's sentence tells a revoked key from a wrong clock. A long word in it might be what we sent.
    if isinstance(hint, str) and len(hint) <= 200 and hint.isprintable() and max(map(len, hint.split() or [""])) <= 40:
        code = f"{code}, {hint}"
    return GrantFailed(
        f"the token server refused the service account: {code}" if ours else f"the token server answered {code}",
        ours=ours,
    )


def _lifetime_s(expires_in: object) -> float:
    if isinstance(expires_in, str) and expires_in.isascii() and expires_in.isdigit() and len(expires_in) < 10:
        expires_in = int(expires_in)
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not expires_in > 0:
        return _UNKNOWN_LIFETIME_S
    return float(min(expires_in, _LONGEST_S))
