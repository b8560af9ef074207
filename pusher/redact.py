"""How secrets appear where people read: logs, reprs, task arguments, errors, listings.

A token becomes a short fingerprint, the same everywhere, so that one device can be followed through all of them.
"""

import hashlib
from urllib.parse import urlsplit, urlunsplit


def digest(secret: str) -> str:
    """Return 32 hex digits that stand for `secret`, as used in Redis keys: no collisions, no way back."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fingerprint(secret: str | None) -> str:
    """Return `#` and 10 hex digits that stand for `secret` where people read, or `-` where there is none."""
    return "-" if secret is None else "#" + digest(secret)[:10]


def url(value: str) -> str:
    """Return `value` without its user, password, query and fragment."""
    parts = urlsplit(value)
    host = parts.netloc.rpartition("@")[2]
    user = "***@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, user + host, parts.path, "", ""))
