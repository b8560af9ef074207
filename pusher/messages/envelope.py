"""What all messages of the bus share: a JSON object with Kazoo's default headers (facts: kazoo.md 1)."""

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from pusher import __version__
from pusher.errors import MessageInvalid
from pusher.messages import json_text

#: Bytes of a message; Kamailio's stay below 8 KiB.
MAX_BODY = 262_144


def decode(body: bytes | str | memoryview, *, max_bytes: int = MAX_BODY) -> dict[str, Any]:
    """Return the fields of a message. Bytes that are not UTF-8, such as a phone's Latin-1, become U+FFFD.

    Raises `MessageInvalid` about field `body`.
    """
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
    if len(raw) > max_bytes:
        raise MessageInvalid("body", f"is longer than {max_bytes} bytes")
    try:
        fields = json_text.loads(raw.decode("utf-8", "replace"))
    except ValueError as error:
        raise MessageInvalid("body", str(error)) from error
    if not isinstance(fields, dict):
        raise MessageInvalid("body", "is not a JSON object")
    return fields


def check(fields: Mapping[str, Any], category: str, name: str) -> None:
    """Raise `MessageInvalid` unless the message is a `name` of `category`."""
    for key, expected in (("Event-Category", category), ("Event-Name", name)):
        if fields.get(key) != expected:
            raise MessageInvalid(key, f"is not {expected}")


def headers(category: str, name: str, node: str, msg_id: str | None = None) -> dict[str, Any]:
    """Return the headers that Kazoo requires of every message; `node` is `pusher@<host>`.

    Without `msg_id`, the message gets one of its own.
    """
    return {
        "Event-Category": category,
        "Event-Name": name,
        "App-Name": "pusher",
        "App-Version": __version__,
        "Node": node,
        "Msg-ID": uuid.uuid4().hex if msg_id is None else msg_id,
    }


def routing_word(text: str) -> str:
    """Return `text` as one word of a routing key, in Kazoo's encoding (facts: kazoo.md 3)."""
    return quote_plus(text, errors="replace").replace(".", "%2E")
