"""The APNs provider token as Apple checks it."""

import base64
import json
from itertools import pairwise
from types import SimpleNamespace

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pusher.clock import Deadline
from pusher.providers.apple.auth import PROVIDER_TOKEN_AGES, issue_with, token_name
from pusher.push.app import TokenKey
from tests.unit.providers.issued import elliptic_key, key_pem

KEY = elliptic_key()
STEP_S = 35 * 60
TOKEN_KEY = TokenKey(key_id="ABCDE12345", team_id="TEAM123456", private_key=key_pem(KEY))


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_token_is_es256_with_kid_iss_and_iat() -> None:
    grant = issue_with(TOKEN_KEY)(1_700_000_000.9, Deadline.after(1))
    head, claims, signature = grant.text.split(".")
    header = json.loads(decode(head))
    assert (header["alg"], header["kid"]) == ("ES256", "ABCDE12345")
    issued_at = json.loads(decode(claims))["iat"]
    assert json.loads(decode(claims)) == {"iss": "TEAM123456", "iat": issued_at}
    assert 1_700_000_000 - 35 * 60 < issued_at <= 1_700_000_000
    assert grant.lifetime_s == pytest.approx(3600 - (1_700_000_000.9 - issued_at))
    raw = decode(signature)
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    KEY.public_key().verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))


def test_all_processes_make_the_same_token_of_a_moment() -> None:
    """Apple answers 429 to a key whose token changes twice within 20 minutes."""
    now = 1_700_000_000 // STEP_S * STEP_S
    first, last = (issue_with(TOKEN_KEY)(at, Deadline.after(1)) for at in (now, now + STEP_S - 1))
    assert first.text == last.text
    assert issue_with(TOKEN_KEY)(now + STEP_S, Deadline.after(1)).text != first.text


@pytest.mark.parametrize("began_s", range(0, STEP_S, 60))
def test_whenever_a_process_begins_its_token_never_changes_within_20_minutes_nor_gets_too_old(began_s: int) -> None:
    now = 1_700_000_000 // STEP_S * STEP_S + began_s
    ages, seen = PROVIDER_TOKEN_AGES, {}
    for _ in range(5):
        grant = issue_with(TOKEN_KEY)(now, Deadline.after(1))
        seen[grant.text] = now
        held_s = max(grant.lifetime_s - ages.early_s, grant.lifetime_s / 2, ages.min_interval_s)
        assert held_s <= grant.lifetime_s - 60
        now += held_s
    changes = list(seen.values())
    assert len(changes) == 5
    assert min(after - before for before, after in pairwise(changes)) >= 20 * 60


def test_without_signatures_that_repeat_a_token_is_signed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def before_openssl_3_2(algorithm: object, *, deterministic_signing: bool = False) -> ec.ECDSA:
        if deterministic_signing:
            raise UnsupportedAlgorithm("not in this OpenSSL")
        return ec.ECDSA(hashes.SHA256())

    monkeypatch.setattr("pusher.providers.apple.auth.ec", SimpleNamespace(ECDSA=before_openssl_3_2))
    head, claims, signature = issue_with(TOKEN_KEY)(1_700_000_000.0, Deadline.after(1)).text.split(".")
    raw = decode(signature)
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
