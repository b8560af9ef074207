"""The APNs provider token: a JWT that one team key signs, the same in all processes (facts: providers.md 1).

They share it through Redis. Where Redis has lost it, each process makes it again, to the byte, because what it says
depends on the time in steps and its signature on nothing but that: Apple would refuse a second token for 20 minutes.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from google.auth import jwt

from pusher.clock import Deadline
from pusher.providers.apple.credentials import read_signing_key
from pusher.providers.shared_secrets import Ages, Grant, Issue
from pusher.push.app import TokenKey
from pusher.redact import digest

#: Apple takes a token for an hour; it is renewed at 45 minutes. Twice within 20 minutes is answered with 429.
PROVIDER_TOKEN_AGES = Ages(early_s=15 * 60, min_interval_s=20 * 60, lock_s=1)
_LIFETIME_S = 60 * 60
#: Seconds between two times of issue. A token that is first used at the end of a step is good for 25 minutes more.
_STEP_S = 35 * 60
#: Bytes of each half of an ES256 signature (RFC 7518 3.4).
_HALF_BYTES = 32


def token_name(key: TokenKey) -> str:
    """Return the name under which the key's token is shared; it says nothing about the key itself.

    White space does not count: the same file pasted twice is still one key, which may have one token only.
    """
    return "apple:" + digest(f"{key.team_id} {key.key_id} {''.join(key.private_key.split())}")


def issue_with(key: TokenKey) -> Issue:
    """Return what makes the token of a moment. The key must have passed `check_token_key`."""

    def issue(now: float, deadline: Deadline) -> Grant:
        signer = _Signer(read_signing_key(key.private_key), key.key_id)
        issued_at = int(now // _STEP_S * _STEP_S)
        claims = {"iss": key.team_id, "iat": issued_at}
        token: bytes = jwt.encode(signer, claims, header={"alg": "ES256"})  # type: ignore[no-untyped-call]
        return Grant(text=token.decode("ascii"), lifetime_s=_LIFETIME_S - (now - issued_at))

    return issue


class _Signer:
    """What google-auth asks for a signature. Its own signer draws a random number for each."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, key_id: str) -> None:
        self._key = key
        self.key_id = key_id

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`, the same each time (RFC 6979)."""
        try:
            signature = self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm:
            # OpenSSL before 3.2: as good, but another token for each process that finds none in Redis.
            signature = self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        return b"".join(half.to_bytes(_HALF_BYTES, "big") for half in decode_dss_signature(signature))
