"""The APNs provider token as Apple checks it."""

import base64
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pusher.clock import Deadline
from pusher.providers.apple.auth import PROVIDER_TOKEN_AGES, issue_with, token_name
from pusher.push.app import TokenKey
from tests.unit.providers.issued import elliptic_key, key_pem

KEY = elliptic_key()
TOKEN_KEY = TokenKey(key_id="ABCDE12345", team_id="TEAM123456", private_key=key_pem(KEY))


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_token_is_es256_with_kid_iss_and_iat() -> None:
    grant = issue_with(TOKEN_KEY)(1_700_000_000.9, Deadline.after(1))
    head, claims, signature = grant.text.split(".")
    header = json.loads(decode(head))
    assert (header["alg"], header["kid"]) == ("ES256", "ABCDE12345")
    assert json.loads(decode(claims)) == {"iss": "TEAM123456", "iat": 1_700_000_000}
    raw = decode(signature)
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    KEY.public_key().verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))


def test_ages_are_45_and_20_minutes() -> None:
    grant = issue_with(TOKEN_KEY)(0.0, Deadline.after(1))
    assert (grant.lifetime_s - PROVIDER_TOKEN_AGES.early_s) / 60 == 45
    assert PROVIDER_TOKEN_AGES.min_interval_s / 60 == 20


def test_name_tells_keys_apart_without_holding_them() -> None:
    name = token_name(TOKEN_KEY)
    other = TokenKey(key_id="ABCDE12345", team_id="TEAM123456", private_key=key_pem(elliptic_key()))
    pasted = TokenKey(
        key_id="ABCDE12345",
        team_id="TEAM123456",
        private_key=TOKEN_KEY.private_key.replace("\n", "\r\n") + "\n",
    )
    assert token_name(other) != name
    assert token_name(pasted) == name
    assert TOKEN_KEY.private_key.splitlines()[1][:16] not in name
