"""Reading single fields of a bus message: liberal in what is taken, one `MessageInvalid` for the rest.

Absent, null and the empty string are the same. Errors name the key and never the value, which may be a token.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from pusher.errors import MessageInvalid
from pusher.messages import json_text

#: Characters of a push token; FCM's and web push's stay below 1000.
MAX_TOKEN = 4096
#: Characters of any other text; a push of 4 KiB has no room for more.
MAX_TEXT = 4096
#: Texts in a list.
MAX_TEXTS = 64

_DIGITS = re.compile(r"[ \t]*[+-]?[0-9]{1,15}(\.[0-9]{1,9})?[ \t]*")


def text(fields: Mapping[str, Any], key: str, *, max_length: int = MAX_TEXT) -> str:
    """Return the text at `key`; a number becomes its digits. Raises `MessageInvalid` where there is none."""
    value = optional_text(fields, key, max_length=max_length)
    if value is None:
        raise MessageInvalid(key, "is missing")
    return value


def optional_text(fields: Mapping[str, Any], key: str, *, max_length: int = MAX_TEXT) -> str | None:
    """Return the text at `key`, None where there is none. Raises `MessageInvalid`."""
    return _text(fields.get(key), key, max_length)


def lenient_text(fields: Mapping[str, Any], key: str) -> str | None:
    """Return the text at `key`, None where there is anything else: for what a message can do without."""
    value = fields.get(key)
    return value if isinstance(value, str) and value else None


def number(fields: Mapping[str, Any], key: str, *, at_most: float) -> float | None:
    """Return the number at `key`, or the one its digits write, between -`at_most` and `at_most`.

    None where there is none. Raises `MessageInvalid`, for NaN too.
    """
    value = fields.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MessageInvalid(key, "is not a number")
    # Compared before it is converted: float() of a huge int raises OverflowError. NaN fails every comparison.
    if not -at_most <= value <= at_most:
        raise MessageInvalid(key, "is out of range")
    return float(value)


def integer(fields: Mapping[str, Any], key: str, *, at_most: int) -> int | None:
    """Return the whole number at `key`, read like `number`. Raises `MessageInvalid`."""
    value = number(fields, key, at_most=at_most)
    if value is None:
        return None
    if not value.is_integer():
        raise MessageInvalid(key, "is not a whole number")
    return int(value)


def text_list(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the texts at `key`; one text alone is a list of one, null entries are left out.

    Raises `MessageInvalid`.
    """
    value = fields.get(key)
    entries = value if isinstance(value, list | tuple) else [value]
    if len(entries) > MAX_TEXTS:
        raise MessageInvalid(key, f"has more than {MAX_TEXTS} entries")
    texts = (_text(entry, key, MAX_TEXT) for entry in entries)
    return tuple(entry for entry in texts if entry is not None)


def json_object(fields: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object at `key`, or the one its JSON text writes; empty where there is none.

    Any other text stands under its own key, so that it still reaches the app. Raises `MessageInvalid`.
    """
    value = fields.get(key)
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        written = _object_written(value)
        return {key: value} if written is None else written
    if not isinstance(value, Mapping):
        raise MessageInvalid(key, "is not an object")
    return value


def _object_written(written: str) -> Mapping[str, Any] | None:
    """Return the object that JSON text writes, None for every other text."""
    try:
        value = json_text.loads(written)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _text(value: object, key: str, max_length: int) -> str | None:
    """Return `value` as text, None for null and the empty string. Raises `MessageInvalid` about `key`."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise MessageInvalid(key, "is not a text")
    # str() of an int with thousands of digits raises ValueError.
    if not isinstance(value, str) and not (abs(value) < 10**18 and math.isfinite(value)):
        raise MessageInvalid(key, "is out of range")
    written = str(value)
    if len(written) > max_length:
        raise MessageInvalid(key, f"is longer than {max_length} characters")
    return written
