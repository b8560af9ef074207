"""The credentials a simulated vendor hands out are the real thing, in the files that operators know."""

import ipaddress
import json
import ssl
import stat
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from pusher.clock import utcnow
from pusher.simulators.authority import AuthKey, Authority, ClientCertificate, ServiceAccount


def test_client_certificate_file_holds_bag_attributes_certificate_and_key(certificate: ClientCertificate) -> None:
    text = certificate.path.read_text()

    assert text == certificate.pem
    assert text.startswith("Bag Attributes\n    friendlyName: Apple Push Services: com.example.phone\n")
    assert text.index("BEGIN CERTIFICATE") < text.index("Key Attributes") < text.index("BEGIN PRIVATE KEY")
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate.path)


def test_client_certificate_names_its_bundle_id_as_uid(certificate: ClientCertificate) -> None:
    (uid,) = certificate.certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    assert uid.value == "com.example.phone"


@pytest.mark.parametrize("password", [None, "secret"])
def test_pkcs12_opens_with_its_password(certificate: ClientCertificate, password: str | None) -> None:
    secret = None if password is None else password.encode()
    key, opened, _ = pkcs12.load_key_and_certificates(certificate.pkcs12(password), secret)

    assert opened == certificate.certificate
    assert key is not None
    assert key.public_key() == certificate.certificate.public_key()


def test_pkcs12_with_a_password_does_not_open_without(certificate: ClientCertificate) -> None:
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(certificate.pkcs12("secret"), None)


def test_validity_begins_and_ends_when_asked(authority: Authority) -> None:
    start = (utcnow() - timedelta(days=400)).replace(microsecond=0)
    made = authority.client_certificate(topics=(), bundle_id="com.example.old", days=365, not_before=start, key="ec")

    assert made.certificate.not_valid_before_utc == start
    assert made.certificate.not_valid_after_utc == start + timedelta(days=365)


def test_a_server_certificate_is_for_its_names_and_for_as_long_as_asked(authority: Authority) -> None:
    start = (utcnow() - timedelta(days=40)).replace(microsecond=0)
    pem = authority.server_certificate("broker.example", "192.0.2.1", not_before=start, days=30).read_bytes()

    made = x509.load_pem_x509_certificate(pem)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("192.0.2.1")]
    assert made.not_valid_after_utc == start + timedelta(days=30)


def test_rsa_certificate_is_the_default(authority: Authority) -> None:
    made = authority.client_certificate(topics=(), bundle_id="com.example.rsa")
    assert isinstance(made.certificate.public_key(), rsa.RSAPublicKey)


def test_auth_key_is_a_pkcs8_p256_key_in_a_file_named_like_apples(auth_key: AuthKey) -> None:
    assert auth_key.path.name == "AuthKey_ABC123DEFG.p8"
    key = serialization.load_pem_private_key(auth_key.path.read_bytes(), None)

    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert key.public_key() == auth_key.public_key
    assert auth_key.pem.startswith("-----BEGIN PRIVATE KEY-----")


def test_service_account_file_is_what_the_console_exports(service_account: ServiceAccount) -> None:
    fields = json.loads(service_account.path.read_text())

    assert fields == service_account.fields
    assert fields["type"] == "service_account"
    assert fields["project_id"] == "phone-project"
    assert fields["token_uri"] == "https://127.0.0.1:1/token"
    assert fields["client_email"].endswith("@phone-project.iam.gserviceaccount.com")
    key = serialization.load_pem_private_key(fields["private_key"].encode(), None)
    assert key.public_key() == service_account.public_key


def test_files_with_keys_are_for_their_owner_only(
    authority: Authority, certificate: ClientCertificate, auth_key: AuthKey, service_account: ServiceAccount
) -> None:
    for path in (authority.server_file, certificate.path, auth_key.path, service_account.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_file_left_readable_by_an_earlier_run_is_closed(authority: Authority) -> None:
    path = authority.folder / "AuthKey_OLD.p8"
    path.touch(mode=0o644)
    path.chmod(0o644)

    authority.auth_key("OLD", "TEAM123456")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_repr_shows_a_key(
    certificate: ClientCertificate, auth_key: AuthKey, service_account: ServiceAccount
) -> None:
    assert "PRIVATE" not in repr((certificate, auth_key, service_account))
