"""What is wrong with the body of a messages:send: first of all with its form, then with its sense."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: Known fields by object. Google takes camelCase too; whoever mixes the two here hears of it.
_FIELDS: dict[str, frozenset[str]] = {
    "": frozenset({"message"}),
    "message": frozenset(
        {
            "android",
            "apns",
            "condition",
            "data",
            "fcm_options",
            "name",
            "notification",
            "token",
            "topic",
            "webpush",
        }
    ),
    "message.android": frozenset(
        {
            "bandwidth_constrained_ok",
            "collapse_key",
            "data",
            "direct_boot_ok",
            "fcm_options",
            "notification",
            "priority",
            "restricted_package_name",
            "restricted_satellite_ok",
            "ttl",
        }
    ),
}
_DURATION = re.compile(r"[0-9]+(\.[0-9]{1,9})?s")
_MAX_TTL_S = 28 * 24 * 3600
_PRIORITIES = frozenset({"NORMAL", "HIGH", "normal", "high"})
_RESERVED_KEYS = frozenset({"from", "message_type", "notification"})
_RESERVED_PREFIXES = ("google.", "gcm.notification")
_MAX_PAYLOAD = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a message."""

    #: Path of the field, such as `message.token`.
    field: str
    description: str
    #: Found by FCM itself, which then adds its FcmError; a fault of form never gets that far.
    by_fcm: bool = True


Message = Mapping[str, Any]


def read_message(body: bytes) -> tuple[Message, Fault | None]:
    """Return the message in `body` and the first thing wrong with it, its token apart."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return {}, _form("", "Invalid JSON payload received. Unexpected token.")
    message = request.get("message") if isinstance(request, dict) else None
    if not isinstance(message, dict):
        return {}, _form("message", "Invalid value at 'message', an object is needed.")
    android = message.get("android", {})
    if not isinstance(android, dict):
        return {}, _form("message.android", "Invalid value at 'message.android', an object is needed.")
    objects = {"": request, "message": message, "message.android": android}
    return message, _unknown_field(objects) or _first_fault(message, android)


def _unknown_field(objects: Mapping[str, Mapping[str, Any]]) -> Fault | None:
    for path, value in objects.items():
        for name in value:
            if name not in _FIELDS[path]:
                return _form(path, f"Unknown name {json.dumps(name)} at '{path}': Cannot find field.")
    return None


def _first_fault(message: Message, android: Message) -> Fault | None:
    faults = (check(message, android) for check in _CHECKS)
    return next((fault for fault in faults if fault is not None), None)


def _string_values(message: Message, android: Message) -> Fault | None:
    for path, data in (("message.data", message.get("data")), ("message.android.data", android.get("data"))):
        if data is not None and not isinstance(data, dict):
            return _form(path, f"Invalid value at '{path}', an object is needed.")
        for position, value in enumerate((data or {}).values()):
            if not isinstance(value, str):
                at = f"{path}[{position}].value"
                return _form(at, f"Invalid value at '{at}' (TYPE_STRING), {json.dumps(value)}")
    return None


def _duration(message: Message, android: Message) -> Fault | None:
    ttl = android.get("ttl")
    if ttl is None or (isinstance(ttl, str) and _DURATION.fullmatch(ttl)):
        return None
    return _form(
        "message.android.ttl",
        "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), "
        "Illegal duration format; duration must end with 's'",
    )


def _priority(message: Message, android: Message) -> Fault | None:
    if android.get("priority", "NORMAL") in _PRIORITIES:
        return None
    return _form("message.android.priority", "Invalid value at 'message.android.priority' (Priority)")


def _direct_boot(message: Message, android: Message) -> Fault | None:
    if isinstance(android.get("direct_boot_ok", False), bool):
        return None
    return _form("message.android.direct_boot_ok", "Invalid value at 'message.android.direct_boot_ok' (TYPE_BOOL)")


def _reserved_keys(message: Message, android: Message) -> Fault | None:
    for key in {**message.get("data", {}), **android.get("data", {})}:
        if key in _RESERVED_KEYS or key.startswith(_RESERVED_PREFIXES):
            return Fault(field="message.data", description=f"Invalid data payload key: {key}")
    return None


def _longest_ttl(message: Message, android: Message) -> Fault | None:
    if float(str(android.get("ttl", "0s")).removesuffix("s")) <= _MAX_TTL_S:
        return None
    return Fault(field="message.android.ttl", description="Invalid ttl: it must be at most 4 weeks.")


def _size(message: Message, android: Message) -> Fault | None:
    data = {**message.get("data", {}), **android.get("data", {})}
    size = sum(len(key.encode()) + len(value.encode()) for key, value in data.items())
    if size <= _MAX_PAYLOAD:
        return None
    return Fault(field="message", description="Android message is too big")


def _recipient(message: Message, android: Message) -> Fault | None:
    if isinstance(message.get("token"), str) and not {"topic", "condition"} & message.keys():
        return None
    return Fault(field="message", description="Recipient of the message is not set.")


_CHECKS: tuple[Callable[[Message, Message], Fault | None], ...] = (
    _string_values,
    _duration,
    _priority,
    _direct_boot,
    _recipient,
    _reserved_keys,
    _longest_ttl,
    _size,
)


def _form(field: str, description: str) -> Fault:
    return Fault(field=field, description=description, by_fcm=False)
