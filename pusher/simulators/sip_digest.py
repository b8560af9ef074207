"""Answers to digest challenges: MD5 and SHA-256, with qop=auth and without (RFC 2617, 7616, 8760)."""

import hashlib
import re
import secrets
from collections.abc import Iterable

from pusher.errors import MessageInvalid
from pusher.simulators.sip_fields import quote, split_outside_quotes, unquote

_SCHEME = re.compile(r"Digest\s+(.*)", re.IGNORECASE | re.DOTALL)
_HASHES = {"MD5": "md5", "SHA-256": "sha256"}
#: Every nonce is used once.
_COUNT = "00000001"


def digest_answer(
    challenges: Iterable[str], *, method: str, uri: str, user: str, password: str, cnonce: str | None = None
) -> str:
    """Return the credentials for the first challenge that can be answered (RFC 8760 2.4).

    `challenges` are the values of WWW-Authenticate or Proxy-Authenticate; `cnonce` is random unless given. Raises
    `MessageInvalid` when none of them is understood.
    """
    fields = next((found for one in challenges if (found := _fields(one))), None)
    if fields is None:
        raise MessageInvalid("challenge", "is no digest with MD5 or SHA-256 and qop auth or none")
    algorithm, realm, nonce = fields.get("algorithm", "MD5"), fields["realm"], fields["nonce"]
    ours = cnonce or secrets.token_hex(8)
    middle = (_COUNT, ours, "auth") if "qop" in fields else ()
    secret, request = _hash(algorithm, user, realm, password), _hash(algorithm, method, uri)
    response = _hash(algorithm, secret, nonce, *middle, request)
    parts = [f"{name}={quote(value)}" for name, value in (("username", user), ("realm", realm), ("nonce", nonce))]
    parts += [f"uri={quote(uri)}", f"response={quote(response)}"]
    if "qop" in fields:
        parts += ["qop=auth", f"nc={_COUNT}", f"cnonce={quote(ours)}"]
    if "algorithm" in fields:
        parts.append(f"algorithm={algorithm}")
    if "opaque" in fields:
        parts.append(f"opaque={quote(fields['opaque'])}")
    return "Digest " + ", ".join(parts)


def is_stale(challenges: Iterable[str]) -> bool:
    """Tell whether only the nonce of the refused credentials was too old."""
    return any((_fields(challenge) or {}).get("stale", "").lower() == "true" for challenge in challenges)


def _fields(challenge: str) -> dict[str, str] | None:
    """Return the challenge's fields by lower-case name, None for one that cannot be answered."""
    match = _SCHEME.fullmatch(challenge.strip())
    if not match:
        return None
    pairs = [part.partition("=") for part in split_outside_quotes(match[1], ",")]
    fields = {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}
    qops = [qop.strip().lower() for qop in fields.get("qop", "auth").split(",")]
    known = fields.get("algorithm", "MD5").upper() in _HASHES and "auth" in qops
    return fields if known and {"realm", "nonce"} <= fields.keys() else None


def _hash(algorithm: str, *parts: str) -> str:
    joined = ":".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.new(_HASHES[algorithm.upper()], joined, usedforsecurity=False).hexdigest()
