"""Credentials to begin with, made anew where they are needed: none is kept in the repository."""

import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_EC = ec.derive_private_key(7, ec.SECP256R1())


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _certificate() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.USER_ID, "org.x")])
    start = datetime(2026, 5, 1, tzinfo=UTC)
    topics = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.840.113635.100.6.3.6"), TOPICS)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(_EC.public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(start + timedelta(days=90))
    return builder.add_extension(topics, critical=False).sign(_EC, hashes.SHA256())


#: The value of Apple's extension, for two topics.
TOPICS = b"\x30\x1a\x0c\x05org.x\x30\x05\x0c\x03app\x0c\x03o.v\x30\x05\x0c\x03voi"
KEY = _pem(_EC)
CERTIFICATE_DER = _certificate().public_bytes(Encoding.DER)
PAIR = _certificate().public_bytes(Encoding.PEM).decode() + KEY
ACCOUNT = json.dumps(
    {
        "type": "service_account",
        "project_id": "example-project",
        "private_key_id": "1234",
        "private_key": _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        "client_email": "pusher@example-project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.example.com/token",
    }
)
