"""What a peer says, on one line that is safe to log."""

import json

from h2.errors import ErrorCodes

from pusher.http2.frames import GoAway

_MAX_LENGTH = 100


def printable(text: str) -> str:
    """Return the start of `text` with everything but printable ASCII replaced."""
    return "".join(character if " " <= character <= "~" else "?" for character in text[:_MAX_LENGTH])


def code_name(code: int) -> str:
    """Return the name of an error code (RFC 9113 7), its number where it has none."""
    try:
        return ErrorCodes(code).name
    except ValueError:
        return f"error {code}"


def goaway_reason(goaway: GoAway) -> str:
    """Return the code's name, with APNs' `reason` or else the start of the debug data."""
    text = printable(_apns_reason(goaway.debug_data) or goaway.debug_data.decode("utf-8", "replace"))
    return f"{code_name(goaway.code)} ({text})" if text else code_name(goaway.code)


def _apns_reason(debug_data: bytes) -> str | None:
    try:
        document = json.loads(debug_data)
    except (ValueError, RecursionError):
        return None
    reason = document.get("reason") if isinstance(document, dict) else None
    return reason if isinstance(reason, str) else None
