"""PEM as operators have it: certificates and a key in any order, with the text of `openssl pkcs12` around."""

import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pusher.errors import CredentialInvalid

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\s.*?-----END \1-----", re.DOTALL)
_KEY_LABELS = frozenset({"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"})
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    #: The other certificates of the file.
    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes = field(repr=False)

    def to_pem(self) -> bytes:
        """Return certificate, chain and key, unencrypted and without any text around them."""
        certificates = (self.certificate, *self.chain)
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates) + (
            self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )


def read_key(pem: str) -> PrivateKeyTypes:
    """Return the private key in `pem`, PKCS#8 as Apple offers it. Raises `CredentialInvalid`."""
    blocks = _blocks(pem)
    keys = _keys(blocks)
    if not keys:
        raise CredentialInvalid("it holds no private key: take the file AuthKey_*.p8 that Apple offers once")
    if not any(label == "PRIVATE KEY" for label, _ in blocks):
        raise CredentialInvalid("the private key is not in PKCS#8 form: convert it with openssl pkcs8 -topk8 -nocrypt")
    return keys[0]


def read_pair(pem: str) -> Pair:
    """Return the certificate in `pem` that belongs to the key in it. Raises `CredentialInvalid`."""
    blocks = _blocks(pem)
    keys = _keys(blocks)
    certificates = [_certificate(text) for label, text in blocks if label == "CERTIFICATE"]
    if not certificates:
        raise CredentialInvalid("it holds a private key but no certificate: add the certificate to the same file")
    if not keys:
        raise CredentialInvalid(
            "it holds a certificate but no private key: export both from the keychain as .p12, "
            "then run openssl pkcs12 -in FILE.p12 -clcerts -nodes"
        )
    for key in keys:
        public = _public(key.public_key())
        for certificate in certificates:
            if _public_of(certificate) == public:
                chain = tuple(other for other in certificates if other is not certificate)
                return Pair(certificate=certificate, chain=chain, key=key)
    raise CredentialInvalid("the private key does not belong to the certificate: export both together")


def _blocks(pem: str) -> list[tuple[str, str]]:
    blocks = [(match[1], match[0]) for match in _BLOCK.finditer(pem)]
    if not blocks:
        raise CredentialInvalid(
            "this is not PEM, it has no complete block from -----BEGIN to -----END; "
            "a .p12 file must be converted: openssl pkcs12 -in FILE.p12 -clcerts -nodes"
        )
    return blocks


def _keys(blocks: list[tuple[str, str]]) -> list[PrivateKeyTypes]:
    for label, text in blocks:
        if label == "ENCRYPTED PRIVATE KEY" or (label in _KEY_LABELS and "ENCRYPTED" in text):
            raise CredentialInvalid(
                "the private key is encrypted, and nobody is there to type its password: "
                "remove it with openssl pkey -in FILE"
            )
    return [_key(text) for label, text in blocks if label in _KEY_LABELS]


def _key(text: str) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(text.encode(), None)
    except _UNREADABLE as error:
        raise CredentialInvalid("the private key is damaged or of an unknown kind") from error


def _certificate(text: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except _UNREADABLE as error:
        raise CredentialInvalid("the certificate is damaged") from error


def _public_of(certificate: x509.Certificate) -> bytes | None:
    """Return the public key of `certificate`; None for an unknown kind of key, such as a chain may hold."""
    try:
        return _public(certificate.public_key())
    except _UNREADABLE:
        return None


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
