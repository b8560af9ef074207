"""The APNs provider token: a JWT that one team key signs, shared by all processes (facts: providers.md 1)."""

from google.auth import jwt
from google.auth.crypt import es256

from pusher.clock import Deadline
from pusher.providers.apple.credentials import read_signing_key
from pusher.providers.shared_secrets import Ages, Grant, Issue
from pusher.push.app import TokenKey
from pusher.redact import digest

#: Apple takes a token for an hour; it is renewed at 45 minutes. Twice within 20 minutes is answered with 429.
PROVIDER_TOKEN_AGES = Ages(early_s=15 * 60, min_interval_s=20 * 60, lock_s=1)
_LIFETIME_S = 60 * 60


def token_name(key: TokenKey) -> str:
    """Return the name under which the key's token is shared; it says nothing about the key itself.

    White space does not count: the same file pasted twice is still one key, which may have one token only.
    """
    return "apple:" + digest(f"{key.team_id} {key.key_id} {''.join(key.private_key.split())}")


def issue_with(key: TokenKey) -> Issue:
    """Return what makes a new token. The key must have passed `check_token_key`."""

    def issue(now: float, deadline: Deadline) -> Grant:
        signer = es256.ES256Signer(read_signing_key(key.private_key), key.key_id)
        claims = {"iss": key.team_id, "iat": int(now)}
        token: bytes = jwt.encode(signer, claims, header={"alg": "ES256"})  # type: ignore[no-untyped-call]
        return Grant(text=token.decode("ascii"), lifetime_s=_LIFETIME_S)

    return issue
