"""Whether an Apple credential will work: checked when an app is added, again when it is first used.

Each way to get it wrong has its own sentence (facts: providers.md 1).
"""

import os
import re
import ssl
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

from pusher.errors import CredentialInvalid
from pusher.providers.apple.pem import Pair, read_key, read_pair
from pusher.providers.apple.topics import read_topics

_TOPICS = x509.ObjectIdentifier("1.2.840.113635.100.6.3.6")
_ENVIRONMENTS = {
    x509.ObjectIdentifier("1.2.840.113635.100.6.3.1"): "development",
    x509.ObjectIdentifier("1.2.840.113635.100.6.3.2"): "production",
}
_ID = re.compile(r"[A-Z0-9]{10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What an operator wants to know of a push certificate."""

    #: The subject's UID; None where it has none.
    bundle_id: str | None
    #: What `apns-topic` may be; empty where the certificate does not say.
    topics: tuple[str, ...]
    #: `development`, `production` or both; empty where the certificate does not say.
    environments: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    #: Whole days until `not_after`.
    days_left: int


def check_certificate(pem: str, now: datetime) -> CertificateFacts:
    """Return the facts of the certificate in `pem`, which must hold its key. Raises `CredentialInvalid`."""
    certificate = read_pair(pem).certificate
    not_before, not_after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= not_after:
        raise CredentialInvalid(f"the certificate expired on {not_after:%Y-%m-%d}: renew it at developer.apple.com")
    if now < not_before:
        raise CredentialInvalid(
            f"the certificate is not valid before {not_before:%Y-%m-%d %H:%M} UTC: is the clock right?"
        )
    extensions = _extensions(certificate)
    return CertificateFacts(
        bundle_id=_bundle_id(certificate),
        topics=read_topics(extensions.get(_TOPICS, b"")),
        environments=tuple(name for oid, name in _ENVIRONMENTS.items() if oid in extensions),
        not_before=not_before,
        not_after=not_after,
        days_left=(not_after - now).days,
    )


def check_token_key(pem: str, key_id: str, team_id: str) -> None:
    """Check an APNs authentication key, the .p8 file, and its two ids. Raises `CredentialInvalid`."""
    if not _ID.fullmatch(key_id):
        raise CredentialInvalid("the key id is not 10 characters out of A-Z and 0-9; it is part of the .p8 file's name")
    if not _ID.fullmatch(team_id):
        raise CredentialInvalid(
            "the team id is not 10 characters out of A-Z and 0-9; see Membership at developer.apple.com"
        )
    read_signing_key(pem)


def read_signing_key(pem: str) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key in `pem`. Raises `CredentialInvalid`."""
    key = read_key(pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CredentialInvalid("the private key is not an APNs key: those are elliptic, on the curve P-256")
    return key


def from_pkcs12(data: bytes, password: str) -> str:
    """Return a .p12 file's certificates and key as PEM. Raises `CredentialInvalid`."""
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(data, password.encode())
    except UnsupportedAlgorithm as error:
        raise CredentialInvalid(
            "the .p12 file is encrypted in a way that is no longer supported: "
            "convert it with openssl pkcs12 -legacy -in FILE.p12 -clcerts -nodes"
        ) from error
    except (ValueError, TypeError, x509.InvalidVersion) as error:
        # The library tells the two apart in its text only, so the file's own frame decides.
        if _is_framed(data):
            raise CredentialInvalid("the password of the .p12 file is wrong, or the file is damaged") from error
        raise CredentialInvalid("this is not a .p12 file") from error
    if key is None:
        raise CredentialInvalid("the .p12 file holds no private key: export certificate and key together")
    certificates = [*([certificate] if certificate is not None else []), *others]
    blocks = [each.public_bytes(Encoding.PEM) for each in certificates]
    blocks.append(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return b"".join(blocks).decode("ascii")


def present_certificate(context: ssl.SSLContext, pem: str) -> None:
    """Have `context` present the certificate in `pem` to servers. Raises `CredentialInvalid`."""
    pair = read_pair(pem)
    try:
        _load(context, pair)
    except ssl.SSLError as error:
        raise CredentialInvalid(f"the TLS library does not take the certificate: {error.reason}") from error
    except OSError as error:
        raise CredentialInvalid(f"the TLS library cannot be given the certificate: {error.strerror}") from error


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    """Hand the pair to OpenSSL, which reads files only, by way of memory: a key never touches a disk."""
    descriptor = os.memfd_create("pusher-identity", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        file.write(pair.to_pem())
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")


def _extensions(certificate: x509.Certificate) -> dict[x509.ObjectIdentifier, bytes]:
    """Return the values of those extensions that the library has no type for, Apple's among them."""
    try:
        extensions = list(certificate.extensions)
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return {}
    return {each.oid: each.value.value for each in extensions if isinstance(each.value, x509.UnrecognizedExtension)}


def _bundle_id(certificate: x509.Certificate) -> str | None:
    try:
        values = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.USER_ID)]
    except ValueError:
        return None
    value = values[0] if values else None
    return value if isinstance(value, str) and value.isprintable() else None


def _is_framed(data: bytes) -> bool:
    """Tell whether `data` begins like any PKCS#12 file: a DER SEQUENCE with a long length (RFC 7292 4)."""
    return len(data) > 2 and data[0] == 0x30 and data[1] >= 0x80
