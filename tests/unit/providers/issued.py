"""Keys, certificates and service accounts, made for these tests; and the requests that use them."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pusher.messages.push_request import PushRequest
from pusher.push.app import ProviderName
from pusher.push.notification import Notification

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
DEVICE_TOKEN = "0a" * 32


def elliptic_key() -> ec.EllipticCurvePrivateKey:
    """Return a new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """Return an RSA key, always the same one: making it is slow."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """Return `key` as PEM."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def certificate(
    key: Any,
    *,
    start: datetime = NOW - timedelta(days=1),
    end: datetime = NOW + timedelta(days=100),
    extensions: dict[str, bytes] | None = None,
    bundle_id: str | None = "org.example.app",
) -> x509.Certificate:
    """Return a self-signed certificate with Apple's extensions, by dotted number."""
    names = [x509.NameAttribute(NameOID.COMMON_NAME, "Apple Push Services")]
    if bundle_id is not None:
        names.append(x509.NameAttribute(NameOID.USER_ID, bundle_id))
    name = x509.Name(names)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for number, value in (extensions or {}).items():
        oid = x509.ObjectIdentifier(number)
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return builder.sign(key, hashes.SHA256())


def certificate_pem(key: Any, **options: Any) -> str:
    """Return a certificate as PEM."""
    return certificate(key, **options).public_bytes(Encoding.PEM).decode()


def service_account(**changes: Any) -> dict[str, Any]:
    """Return a service account as Google exports it."""
    account = {
        "type": "service_account",
        "project_id": "example-project",
        "private_key_id": "1234",
        "private_key": key_pem(rsa_key()),
        "client_email": "pusher@example-project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.example.com/token",
    }
    return {key: value for key, value in {**account, **changes}.items() if value is not None}


def service_account_text(**changes: Any) -> str:
    """Return a service account's JSON."""
    return json.dumps(service_account(**changes))


def notification(provider: ProviderName = ProviderName.APPLE, **fields: Any) -> Notification:
    """Return a push, 20 s long, that arrived at `NOW`."""
    fields = {"token": DEVICE_TOKEN, "token_type": str(provider), "app_id": "org.example.app", **fields}
    return Notification(
        request=PushRequest(**fields),
        provider=provider,
        push_id="11111111-2222-4333-8444-555555555555",
        received_at=NOW.timestamp(),
        expires_at=NOW.timestamp() + 20,
    )
