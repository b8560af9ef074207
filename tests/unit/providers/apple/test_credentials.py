"""Every way to get an Apple credential wrong has its own sentence; the right ones work."""

import ssl
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from pusher.errors import CredentialInvalid
from pusher.providers.apple.credentials import (
    check_certificate,
    check_token_key,
    from_pkcs12,
    present_certificate,
)
from tests.unit.providers.apple.der import topics_extension
from tests.unit.providers.issued import NOW, certificate, certificate_pem, elliptic_key, key_pem, rsa_key

TOPICS = "1.2.840.113635.100.6.3.6"
DEVELOPMENT = "1.2.840.113635.100.6.3.1"
PRODUCTION = "1.2.840.113635.100.6.3.2"
KEY = elliptic_key()
CERTIFICATE = certificate_pem(KEY)


def problem(pem: str) -> str:
    """Return the sentence that `check_certificate` has for `pem`."""
    with pytest.raises(CredentialInvalid) as failed:
        check_certificate(pem, NOW)
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_facts_of_a_universal_certificate() -> None:
    pem = certificate_pem(
        KEY,
        extensions={
            TOPICS: topics_extension("org.example.app", "org.example.app.voip"),
            DEVELOPMENT: b"\x05\x00",
            PRODUCTION: b"\x05\x00",
        },
    )
    facts = check_certificate(pem + key_pem(KEY), NOW)
    assert facts.topics == ("org.example.app", "org.example.app.voip")
    assert facts.environments == ("development", "production")
    assert facts.bundle_id == "org.example.app"
    assert facts.not_after == NOW + timedelta(days=100)
    assert facts.days_left == 100


def test_certificate_without_apples_extensions_has_no_topics() -> None:
    facts = check_certificate(certificate_pem(KEY, bundle_id=None) + key_pem(KEY), NOW)
    assert (facts.topics, facts.environments, facts.bundle_id) == ((), (), None)


@pytest.mark.parametrize("hostile", [b"", b"\x30\x82\xff\xff", b"\xff" * 50])
def test_hostile_topics_are_no_topics(hostile: bytes) -> None:
    pem = certificate_pem(KEY, extensions={TOPICS: hostile})
    assert check_certificate(pem + key_pem(KEY), NOW).topics == ()


def test_bag_attributes_and_either_order_are_fine() -> None:
    bag = "Bag Attributes\n    friendlyName: Apple Push\n    localKeyID: 0A 0B\nsubject=/UID=x\nissuer=/CN=y\n"
    key = "Bag Attributes\n    friendlyName: key\nKey Attributes: <No Attributes>\n" + key_pem(KEY)
    for pem in (
        bag + CERTIFICATE + key,
        key + bag + CERTIFICATE,
        (key + bag + CERTIFICATE).replace("\n", "\r\n"),
    ):
        assert check_certificate(pem, NOW).days_left == 100


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_all_three_forms_of_keys(kind: str, form: PrivateFormat) -> None:
    key = rsa_key() if kind == "rsa" else KEY
    assert check_certificate(certificate_pem(key) + key_pem(key, form), NOW).days_left == 100


def test_ec_parameters_before_the_key_are_ignored() -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert check_certificate(parameters + key_pem(KEY) + CERTIFICATE, NOW).days_left == 100


def test_of_several_certificates_the_one_of_the_key_counts() -> None:
    authority = certificate_pem(elliptic_key(), end=NOW - timedelta(hours=1))
    assert check_certificate(authority + CERTIFICATE + key_pem(KEY), NOW).days_left == 100


def test_not_pem() -> None:
    for text in ("", "hello", "-----BEGIN CERTIFICATE-----\nMIIB", "\x00\x01"):
        assert "this is not PEM" in problem(text)


def test_certificate_without_key() -> None:
    assert "certificate but no private key" in problem(CERTIFICATE)


def test_key_without_certificate() -> None:
    assert "private key but no certificate" in problem(key_pem(KEY))


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_encrypted_key(form: PrivateFormat) -> None:
    encrypted = KEY.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")).decode()
    assert "the private key is encrypted" in problem(CERTIFICATE + encrypted)


def test_key_that_does_not_match() -> None:
    assert "does not belong to the certificate" in problem(CERTIFICATE + key_pem(elliptic_key()))


def test_expired() -> None:
    pem = certificate_pem(KEY, start=NOW - timedelta(days=9), end=NOW - timedelta(seconds=1))
    assert "expired on 2026-05-04" in problem(pem + key_pem(KEY))


def test_not_yet_valid() -> None:
    assert "not valid before 2026-05-05" in problem(certificate_pem(KEY, start=NOW + timedelta(days=1)) + key_pem(KEY))


def test_last_second_is_valid_and_the_end_is_not() -> None:
    pem = certificate_pem(KEY, end=NOW + timedelta(seconds=1)) + key_pem(KEY)
    assert check_certificate(pem, NOW).days_left == 0
    with pytest.raises(CredentialInvalid, match="expired"):
        check_certificate(pem, NOW + timedelta(seconds=1))


def test_damaged_blocks() -> None:
    damaged = "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n"
    assert "the certificate is damaged" in problem(damaged.format("CERTIFICATE") + key_pem(KEY))
    assert "the private key is damaged" in problem(CERTIFICATE + damaged.format("PRIVATE KEY"))


def test_errors_quote_nothing_of_the_key() -> None:
    secret = key_pem(KEY).splitlines()[1]
    for pem in (key_pem(KEY), certificate_pem(elliptic_key()) + key_pem(KEY)):
        assert secret[:10] not in problem(pem)


def p12(password: bytes | None, key: ec.EllipticCurvePrivateKey | None = KEY) -> bytes:
    """Return a .p12 file."""
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return pkcs12.serialize_key_and_certificates(b"push", key, certificate(KEY), None, encryption)


def test_pkcs12_becomes_pem_that_passes() -> None:
    for password in ("sésame", ""):
        data = p12(password.encode() or None)
        assert check_certificate(from_pkcs12(data, password), NOW).bundle_id == "org.example.app"


def test_pkcs12_errors_differ() -> None:
    with pytest.raises(CredentialInvalid, match="the password"):
        from_pkcs12(p12(b"right"), "wrong")
    for data in (b"", CERTIFICATE.encode(), b"\x30"):
        with pytest.raises(CredentialInvalid, match=r"not a \.p12 file"):
            from_pkcs12(data, "x")
    with pytest.raises(CredentialInvalid, match="no private key"):
        from_pkcs12(p12(b"x", None), "x")


def test_token_key() -> None:
    check_token_key(key_pem(KEY), "ABCDE12345", "TEAM123456")


@pytest.mark.parametrize(
    ("pem", "key_id", "team_id", "sentence"),
    [
        (key_pem(KEY), "abcde12345", "TEAM123456", "the key id"),
        (key_pem(KEY), "ABCDE1234", "TEAM123456", "the key id"),
        (key_pem(KEY), "ABCDE12345\n", "TEAM123456", "the key id"),
        (key_pem(KEY), "ABCDE12345", "TEAM12345É", "the team id"),
        ("hello", "ABCDE12345", "TEAM123456", "this is not PEM"),
        (CERTIFICATE, "ABCDE12345", "TEAM123456", "no private key"),
        (key_pem(rsa_key()), "ABCDE12345", "TEAM123456", "P-256"),
        (key_pem(ec.generate_private_key(ec.SECP384R1())), "ABCDE12345", "TEAM123456", "P-256"),
        (key_pem(ed25519.Ed25519PrivateKey.generate()), "ABCDE12345", "TEAM123456", "P-256"),
        (key_pem(KEY, PrivateFormat.TraditionalOpenSSL), "ABCDE12345", "TEAM123456", "PKCS#8"),
    ],
)
def test_token_key_errors(pem: str, key_id: str, team_id: str, sentence: str) -> None:
    with pytest.raises(CredentialInvalid, match=sentence):
        check_token_key(pem, key_id, team_id)


def test_tls_context_takes_the_certificate() -> None:
    pem = "Bag Attributes\n" + key_pem(KEY) + certificate_pem(elliptic_key()) + CERTIFICATE
    present_certificate(ssl.create_default_context(), pem)


def test_tls_context_refuses_with_our_error() -> None:
    with pytest.raises(CredentialInvalid, match="certificate but no private key"):
        present_certificate(ssl.create_default_context(), CERTIFICATE)
    # A key that parses but that is too short for TLS.
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(CredentialInvalid, match="TLS library"):
        present_certificate(ssl.create_default_context(), certificate_pem(weak) + key_pem(weak))
