"""The JSON body of an FCM message: data for an app that may not run (facts: kazoo.md 2, providers.md 2)."""

from typing import Any

from pusher.messages.push_request import PushRequest
from pusher.providers.alert import alert_of
from pusher.providers.json_body import write_json
from pusher.providers.size_limit import fit
from pusher.push.notification import Notification
from pusher.push.outcome import Refused

_LIMIT = 4096
#: FCM keeps a message for four weeks and refuses a longer ttl.
_LONGEST_TTL_S = 4 * 7 * 24 * 60 * 60
_RESERVED = frozenset({"from", "message_type", "notification"})
_RESERVED_PREFIXES = ("google.", "gcm.notification")
#: FCM refuses a whole message for one reserved key. Renaming keeps the value: a `from` may name the caller.
_RENAMED = "payload."


def body_for(notification: Notification, now: float) -> bytes | Refused:
    """Return the body as of epoch seconds `now`, `Refused` where it cannot be made small enough.

    The limit is FCM's for what the app receives, so the token does not count.
    """

    def render(request: PushRequest) -> bytes:
        data = _data(request, notification.received_at)
        return write_json({"message": {"token": request.token, "data": data, "android": android}})

    ttl_s = min(max(0, int(notification.expires_at - now)), _LONGEST_TTL_S)
    # HIGH wakes a dozing phone, direct boot one that was not unlocked since it was switched on.
    android = {"priority": "HIGH", "ttl": f"{ttl_s}s", "direct_boot_ok": True}
    return fit(notification.request, render, _LIMIT + len(notification.request.token))


def _data(request: PushRequest, received_at: float) -> dict[str, str]:
    """Return the data; its values are texts, since FCM takes no others. What we say wins over Payload."""
    data = {_key(key): _text(value) for key, value in request.payload.items()}
    alert = alert_of(request)
    if alert:
        data["alert"] = _text(alert)
        data.update({f"alert.{key}": _text(value) for key, value in alert.items()})
    if request.sound is not None:
        data["sound"] = request.sound
    if request.call_id is not None:
        data["Call-ID"] = request.call_id
    data["utc_unix_timestamp_ms"] = str(int(received_at * 1000))
    return data


def _key(key: str) -> str:
    return _RENAMED + key if key in _RESERVED or key.startswith(_RESERVED_PREFIXES) else key


def _text(value: Any) -> str:
    """Return a text as it is, all else as JSON text. Raises `ValueError`."""
    return value if isinstance(value, str) else write_json(value).decode()
