"""The JSON body of an APNs push (facts: kazoo.md 2, providers.md 1)."""

from typing import Any

from pusher.messages.push_request import PushRequest
from pusher.providers.alert import alert_of
from pusher.providers.json_body import write_json
from pusher.providers.size_limit import fit
from pusher.push.notification import Notification
from pusher.push.outcome import Refused

_LIMIT = 4096
_VOIP_LIMIT = 5120


def body_for(notification: Notification, push_type: str) -> bytes | Refused:
    """Return the body of a push of type `push_type`, `Refused` where it cannot be made small enough."""

    def render(request: PushRequest) -> bytes:
        return write_json(_document(request, push_type, notification.received_at))

    return fit(notification.request, render, _VOIP_LIMIT if push_type == "voip" else _LIMIT)


def _document(request: PushRequest, push_type: str, received_at: float) -> dict[str, Any]:
    """Return the payload. Payload's own `aps` adds what we do not say, and never takes away what we say."""
    theirs = request.payload.get("aps")
    aps = {**(theirs if isinstance(theirs, dict) else {}), **_aps(request, push_type)}
    alert = alert_of(request)
    if alert:
        base = aps.get("alert")
        aps["alert"] = {**(base if isinstance(base, dict) else {}), **alert}
    return {**request.payload, "utc_unix_timestamp_ms": str(int(received_at * 1000)), "aps": aps}


def _aps(request: PushRequest, push_type: str) -> dict[str, Any]:
    fields = {
        "sound": request.sound,
        "badge": request.badge,
        "call-id": request.call_id,
        # A background push without it wakes nobody.
        "content-available": 1 if push_type == "background" else None,
    }
    return {key: value for key, value in fields.items() if value is not None}
