"""The header fields of an APNs request: what settings say, else what the app id implies (kazoo.md 2)."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pusher.push.app import AppleApp
from pusher.push.notification import Notification

logger = logging.getLogger(__name__)

_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_NAME = re.compile(r"[a-z0-9-]{1,64}")
_VALUE = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")
#: What settings may not touch: our identity, the push's identity, and what HTTP/2 itself decides.
_OURS = frozenset(
    {
        "apns-id", "authorization", "connection", "content-length", "content-type", "host", "keep-alive",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class APNsHeaders:
    """Checked header fields of one push, `authorization` excepted."""

    fields: tuple[tuple[str, str], ...]
    #: `voip`, `alert`, `background`, ...
    push_type: str


def headers_for(notification: Notification, app: AppleApp) -> APNsHeaders | None:
    """Return the header fields; None where the app id, which a stranger may have written, makes no topic."""
    configured = _configured(app.headers)
    topic = configured.get("apns-topic", topic_of(app))
    if not _TOPIC.fullmatch(topic):
        return None
    push_type = configured.get("apns-push-type", app.push_type or _push_type_of(topic))
    fields = {
        "apns-topic": topic,
        "apns-push-type": push_type,
        # Apple refuses a background push of any other priority.
        "apns-priority": "5" if push_type == "background" else "10",
        "apns-expiration": str(int(notification.expires_at)),
        **configured,
        "apns-id": notification.push_id,
    }
    return APNsHeaders(fields=tuple(fields.items()), push_type=push_type)


def topic_of(app: AppleApp) -> str:
    """Return the app's topic: as set, else the app id without the ending Linphone gives it."""
    if app.topic is not None:
        return app.topic
    return app.app_id.removesuffix(".dev") if app.app_id.endswith(".dev") else app.app_id.removesuffix(".prod")


def _push_type_of(topic: str) -> str:
    return "voip" if topic.endswith(".voip") else "alert"


def _configured(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the settings' fields as HTTP/2 wants them; those it cannot carry are left out and logged."""
    accepted = {}
    for key, value in headers.items():
        name = key.lower().replace("_", "-")
        if not _NAME.fullmatch(name) or name in _OURS or not _VALUE.fullmatch(value):
            logger.warning("Setting apple.headers: %r cannot be sent and is left out", key[:64])
            continue
        accepted[name] = value
    return accepted
