"""Tokens are read strictly, and verified by their key alone."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from google.auth import crypt, jwt

from pusher.simulators.authority import AuthKey, ServiceAccount
from pusher.simulators.json_web_token import JSONWebToken


def encode(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def es256(key: AuthKey) -> str:
    return jwt.encode(crypt.ES256Signer.from_string(key.pem), {"iat": 1}).decode()


def test_es256_token_is_verified_by_its_key_only(auth_key: AuthKey) -> None:
    token = JSONWebToken.parse(es256(auth_key))

    assert token is not None
    assert token.verified_by(auth_key.public_key)
    assert not token.verified_by(ec.generate_private_key(ec.SECP256R1()).public_key())


def test_rs256_token_is_verified_by_its_key_only(service_account: ServiceAccount, auth_key: AuthKey) -> None:
    signer = crypt.RSASigner.from_string(service_account.fields["private_key"])
    token = JSONWebToken.parse(jwt.encode(signer, {"iat": 1}).decode())

    assert token is not None
    assert token.claims["iat"] == 1
    assert token.verified_by(service_account.public_key)
    assert not token.verified_by(auth_key.public_key)


def test_signature_in_der_form_is_refused(auth_key: AuthKey) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signed = f"{encode({'alg': 'ES256'})}.{encode({})}"
    token = JSONWebToken.parse(f"{signed}.{encode(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}")

    assert token is not None
    assert not token.verified_by(key.public_key())


def test_signature_that_lost_its_leading_zero_is_refused(auth_key: AuthKey) -> None:
    """As a number S would still be right; raw signatures have 64 bytes all the same."""
    signer = crypt.ES256Signer.from_string(auth_key.pem)
    signed = f"{encode({'alg': 'ES256'})}.{encode({})}"
    signature = next(made for made in iter(lambda: signer.sign(signed.encode()), None) if made[32] == 0)
    whole = JSONWebToken.parse(f"{signed}.{encode(signature)}")
    short = JSONWebToken.parse(f"{signed}.{encode(signature[:32] + signature[33:])}")

    assert whole is not None
    assert whole.verified_by(auth_key.public_key)
    assert short is not None
    assert not short.verified_by(auth_key.public_key)


@pytest.mark.parametrize("alg", ["none", "RS256", "ES384", None])
def test_good_es256_signature_under_another_algorithms_name_is_refused(auth_key: AuthKey, alg: str) -> None:
    signer = crypt.ES256Signer.from_string(auth_key.pem)
    signed = f"{encode({'alg': alg})}.{encode({})}"
    token = JSONWebToken.parse(f"{signed}.{encode(signer.sign(signed.encode()))}")

    assert token is not None
    assert not token.verified_by(auth_key.public_key)


def test_good_rs256_signature_under_another_algorithms_name_is_refused() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signer = crypt.RSASigner(key)
    signed = f"{encode({'alg': 'ES256'})}.{encode({})}"
    token = JSONWebToken.parse(f"{signed}.{encode(signer.sign(signed.encode()))}")

    assert token is not None
    assert not token.verified_by(key.public_key())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        f"{encode({})}.{encode({})}",
        f"{encode({})}.{encode({})}.",
        f"{encode({})}.{encode([])}.{encode(b'x')}",
        f"{encode('text')}.{encode({})}.{encode(b'x')}",
        f"{encode(b'{')}.{encode({})}.{encode(b'x')}",
        f"{encode({})}.{encode({})}.{encode(b'x')}=",
        f"{encode({})}.{encode({})}.{encode(b'x')}\n",
        f"{encode({})}.{encode({})}.a",
    ],
)
def test_what_is_no_compact_token_of_two_objects_is_none(text: str) -> None:
    assert JSONWebToken.parse(text) is None
