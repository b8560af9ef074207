"""How secrets appear where people read: logs, reprs, task arguments, errors, listings.

A token becomes a short fingerprint, the same everywhere, so that one device can be followed through all of them.
"""

import hashlib
import re


def digest(secret: str) -> str:
    """Return 32 hex digits that stand for `secret`, as used in Redis keys: no collisions, no way back."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fingerprint(secret: str | None) -> str:
    """Return `#` and 10 hex digits that stand for `secret` where people read, or `-` where there is none."""
    return "-" if secret is None else "#" + digest(secret)[:10]


def url(value: str) -> str:
    """Return `value` without its user, password, query and fragment."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        return "***"
    # Up to the last @, wherever it stands: a password may hold an unescaped / or #.
    _, at, shown = rest.rpartition("@")
    return f"{scheme}://{'***@' if at else ''}{re.split('[?#]', shown)[0]}"


#: Keys of bus messages whose values say nothing that must be hidden.
_PLAIN_KEYS = frozenset(
    {
        *(
            "Event-Category",
            "Event-Name",
            "App-Name",
            "App-Version",
            "Node",
            "Msg-ID",
            "Server-ID",
            "Call-ID",
        ),
        *(
            "Token-Type",
            "Token-App",
            "Account-ID",
            "Endpoint-ID",
            "Authorizing-ID",
            "Authorizing-Type",
            "Realm",
        ),
        *("Username", "User-Agent", "Status", "First-Registration", "Account-Realm", "Pusher-Application"),
    }
)
#: Keys whose values are secrets however short they are.
SECRET_KEYS = frozenset({"Token-ID", "Token-Reg", "token-id", "registration-token", "token", "x-token-reg"})
_LONG_WORD = re.compile(r"[A-Za-z0-9_:~.%/+=-]{16,}")


def text(value: str) -> str:
    """Return `value` with every word long enough to be a token or key replaced by its fingerprint."""
    return _LONG_WORD.sub(lambda word: fingerprint(word.group()), value)


def message(value: object, key: str = "") -> object:
    """Return a decoded JSON message as it may be shown: plain where its keys are known to be, `text` elsewhere."""
    if isinstance(value, dict):
        return {text(name): message(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [message(item) for item in value]
    if isinstance(value, str) and key not in _PLAIN_KEYS:
        return fingerprint(value) if key in SECRET_KEYS else text(value)
    return value
