"""Answers that no table knows: neither retried nor proof of anything, but somebody should read of them."""

import logging

from pusher.messages.push_request import PushRequest
from pusher.push.outcome import FailureReason, Refused
from pusher.redact import fingerprint

logger = logging.getLogger(__name__)


def unknown_answer(provider: str, status: int, code: str | None) -> Refused:
    """Return what an unknown answer means; `code` is the provider's word, None where it is no clean one."""
    return Refused(
        reason=FailureReason.REFUSED,
        code=code if code is not None else f"HTTP {status}",
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
