"""JSON on its way to a provider and back: compact when written, harmless when read."""

import json
import re
from typing import Any

_WORD = re.compile(r"[A-Za-z_]{1,64}")


def write_json(document: Any) -> bytes:
    """Return compact UTF-8 JSON. Raises `ValueError` for what JSON cannot say: NaN, endless nesting, a date."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except TypeError as error:
        # Celery makes dates and bytes of some JSON objects; only a task that Pusher did not write has them.
        raise ValueError("a value that JSON has no form for") from error
    # A bus message may hold half a surrogate pair, which UTF-8 has no bytes for; it must not cost the call.
    return text.encode("utf-8", "replace")


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`, an empty one where there is none: HTML, a list, hostile bytes."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def word(value: object) -> str | None:
    """Return `value` if it looks like a provider's code, fit for logs and answers; None for all else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None
