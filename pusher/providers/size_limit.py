"""What to leave out of a push that is too large: optional texts, longest first, never what the call needs."""

import logging
from collections.abc import Callable
from dataclasses import replace

from pusher.messages.push_request import PushRequest
from pusher.providers.json_body import write_json
from pusher.push.outcome import FailureReason, Refused

logger = logging.getLogger(__name__)

#: Payload's keys without which a phone wakes for nothing: it could not register, or not tell for which call.
_NEEDED = frozenset({"call-id", "Call-ID", "registration-token", "proxy"})


def fit(request: PushRequest, render: Callable[[PushRequest], bytes], limit: int) -> bytes | Refused:
    """Return what `render` makes of `request`, with texts left out until it has at most `limit` bytes.

    `render` may raise `ValueError` for a Payload that JSON cannot carry.
    """
    try:
        body = render(request)
        while len(body) > limit:
            smaller = _without_longest(request, len(body) - limit)
            if smaller is None:
                return _too_large(len(body), limit)
            request = smaller
            body = render(request)
    except ValueError as error:
        return Refused(reason=FailureReason.REFUSED, code="payload_invalid", detail=f"The Payload is no JSON: {error}.")
    return body


def _too_large(size: int, limit: int) -> Refused:
    return Refused(
        reason=FailureReason.PAYLOAD_TOO_LARGE,
        code="payload_too_large",
        detail=f"The push has {size} bytes without its optional texts; the provider takes {limit}.",
    )


def _without_longest(request: PushRequest, excess: int) -> PushRequest | None:
    """Return `request` without its longest texts, `excess` bytes or more; None where no text is left."""
    texts = _optional_texts(request)
    if not texts:
        return None
    dropped: list[tuple[str, str]] = []
    for name in sorted(texts, key=lambda name: texts[name], reverse=True):
        if excess <= 0:
            break
        dropped.append(name)
        excess -= texts[name]
    names = ", ".join(repr(name[:40]) for _, name in dropped[:5])
    logger.warning("A push is too large: left out %d texts (%s) call_id=%s", len(dropped), names, request.call_id)
    fields = {name for place, name in dropped if place == "request"}
    keys = {name for place, name in dropped if place == "payload"}
    return replace(
        request,
        alert_body=None if "alert_body" in fields else request.alert_body,
        alert_params=() if "alert_params" in fields else request.alert_params,
        sound=None if "sound" in fields else request.sound,
        payload={key: value for key, value in request.payload.items() if key not in keys},
    )


def _optional_texts(request: PushRequest) -> dict[tuple[str, str], int]:
    """Return about how many bytes each text takes that may be left out, by where it stands and its name."""
    fields = {
        "alert_body": request.alert_body,
        "alert_params": list(request.alert_params),
        "sound": request.sound,
    }
    texts = {("request", name): len(write_json(value)) for name, value in fields.items() if value}
    for key, value in request.payload.items():
        if isinstance(value, str) and key not in _NEEDED:
            texts["payload", key] = len(write_json({key: value}))
    return texts
