"""Answers that no table knows: no proof of anything, but somebody should read of them."""

import logging

from pusher.messages.push_request import PushRequest
from pusher.push.outcome import FailureReason, Refused, TryLater
from pusher.redact import fingerprint

logger = logging.getLogger(__name__)


def unknown_answer(provider: str, status: int, code: str | None, retry_after_s: float | None) -> Refused | TryLater:
    """Return what an unknown answer means; `code` is the provider's word, None where it is no clean one.

    5xx is the trouble of a server, be it a proxy on the way, and passes (RFC 9110 15.6): such a push is tried again.
    """
    code = code if code is not None else f"HTTP {status}"
    if 500 <= status <= 599:
        return TryLater(code=code, retry_after_s=retry_after_s)
    return Refused(
        reason=FailureReason.REFUSED,
        code=code,
        detail=f"{provider} answered {status} in a way that its documentation does not know.",
    )


def log_unknown(provider: str, refused: Refused, request: PushRequest) -> None:
    """Log an unknown answer to the push for `request`."""
    logger.warning(
        "%s gave an unknown answer: %s call_id=%s token=%s",
        provider,
        refused.code,
        request.call_id,
        fingerprint(request.token),
    )
