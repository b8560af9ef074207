"""JSON web tokens as Apple and Google read them: compact, ES256 or RS256, never lenient (RFC 7515)."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class JSONWebToken:
    """A token that could be read; nothing in it is believed before a key has verified it."""

    header: Mapping[str, object]
    claims: Mapping[str, object]
    #: What the signature is about.
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the token in `text`, None where it is no compact JWT; padded base64 is none."""
        parts = _COMPACT.fullmatch(text)
        if parts is None:
            return None
        try:
            header, claims, signature = (_decode(part) for part in parts.groups())
            values = json.loads(header), json.loads(claims)
        except ValueError:
            return None
        if not isinstance(values[0], dict) or not isinstance(values[1], dict):
            return None
        signed = text.rpartition(".")[0].encode()
        return cls(header=values[0], claims=values[1], signed=signed, signature=signature)

    def verified_by(self, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bool:
        """Tell whether the owner of `key` signed this, with ES256 for an EC key and RS256 for an RSA key."""
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(self.signature, self.signed, padding.PKCS1v15(), hashes.SHA256())
                return self.header.get("alg") == "RS256"
            # R and S, 32 bytes each; the DER form that most libraries sign with is refused by Apple.
            if len(self.signature) != 64:
                return False
            r, s = (int.from_bytes(half, "big") for half in (self.signature[:32], self.signature[32:]))
            key.verify(encode_dss_signature(r, s), self.signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return self.header.get("alg") == "ES256"


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
