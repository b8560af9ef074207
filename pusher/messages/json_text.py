"""JSON text from strangers becomes plain values that can be handed on: encodable, finite, shallow."""

import json
import math
import re
from typing import Any, NoReturn

#: Levels of arrays and objects; messages have three. Python's JSON writer manages these on any call stack.
MAX_DEPTH = 32

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}|\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def loads(text: str) -> Any:
    """Return the value of JSON `text`; raw control characters inside strings are taken.

    Raises `ValueError`, with a phrase that quotes nothing, for text that is not JSON, for numbers that nobody
    can write back (NaN, 1e999) and for nesting deeper than `MAX_DEPTH`. Lone surrogates become `?`, as they
    would break the first `.encode()` behind us.
    """
    try:
        value = _DECODER.decode(text)
        if _SURROGATE_ESCAPE.search(text):
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError("is not JSON") from error
    if text.count("[") + text.count("{") > MAX_DEPTH and _too_deep(value):
        raise ValueError("is nested too deeply")
    return value


def _number(digits: str) -> float:
    """Return a finite float."""
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("holds a number that is too large")
    return value


def _integer(digits: str) -> int:
    """Return an integer of ordinary size; longer ones are refused by `int` with an error of many words."""
    if len(digits) > 20:
        raise ValueError("holds a number that is too large")
    return int(digits)


def _constant(name: str) -> NoReturn:
    """Refuse NaN and infinity, which Python would take and no other JSON reader."""
    raise ValueError("holds a number that JSON does not know")


def _too_deep(value: Any) -> bool:
    """Tell whether `value` has more than `MAX_DEPTH` levels, without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


_DECODER = json.JSONDecoder(strict=False, parse_float=_number, parse_int=_integer, parse_constant=_constant)
