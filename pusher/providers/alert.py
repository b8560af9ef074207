"""The part of a push that a phone shows by itself (facts: kazoo.md 2)."""

from typing import Any

from pusher.messages.push_request import PushRequest


def alert_of(request: PushRequest) -> dict[str, Any]:
    """Return `loc-key`, `loc-args` and `body` as far as the request has them."""
    alert: dict[str, Any] = {}
    if request.alert_key is not None:
        alert["loc-key"] = request.alert_key
    if request.alert_params:
        alert["loc-args"] = list(request.alert_params)
    if request.alert_body is not None:
        alert["body"] = request.alert_body
    return alert
