"""A push attempt ended: write its line, and carry out what the outcome asks for."""

import logging
import random
import time
from typing import assert_never

from pusher.errors import BusUnavailable, StoreUnavailable
from pusher.flows.fail_call import FailCall
from pusher.logs import event
from pusher.ports import Enqueue, Tokens
from pusher.push.notification import Notification
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater
from pusher.push.retry import GiveUp, RetryAt, decide_retry
from pusher.redact import fingerprint

log = logging.getLogger("pusher.flows")


class SettlePush:
    """Retry, forget a dead token, or answer the waiting call that it failed."""

    def __init__(self, *, fail_call: FailCall, tokens: Tokens, enqueue: Enqueue, rng: random.Random) -> None:
        self._fail_call = fail_call
        self._tokens = tokens
        self._enqueue = enqueue
        self._rng = rng

    def __call__(self, notification: Notification, outcome: Outcome, attempt: int) -> RetryAt | None:
        """Settle `outcome` of attempt number `attempt`, counted from 1; a `RetryAt` is the caller's to carry out."""
        match outcome:
            case Delivered():
                self._tell(notification, attempt, logging.INFO, "push accepted", ref=outcome.provider_ref)
            case TokenDead():
                self._tell(notification, attempt, logging.WARNING, "token dead", code=outcome.code)
                detail = f"The push token is dead ({outcome.code})."
                self._fail_call(notification, FailureReason.DEAD_TOKEN, detail)
                self._forget(notification, outcome)
            case TryLater():
                return self._try_later(notification, outcome, attempt)
            case Refused():
                self._tell(
                    notification,
                    attempt,
                    logging.WARNING,
                    "push refused",
                    reason=str(outcome.reason),
                    code=outcome.code,
                    detail=outcome.detail,
                )
                self._fail_call(notification, outcome.reason, outcome.detail)
            case _:
                assert_never(outcome)
        return None

    def _try_later(self, notification: Notification, outcome: TryLater, attempt: int) -> RetryAt | None:
        decision = decide_retry(outcome, attempt, time.time(), notification.expires_at, self._rng)
        match decision:
            case RetryAt():
                self._tell(
                    notification,
                    attempt,
                    logging.INFO,
                    "push will be retried",
                    code=outcome.code,
                    delay_s=decision.delay_s,
                )
                return decision
            case GiveUp():
                self._tell(
                    notification,
                    attempt,
                    logging.WARNING,
                    "push given up",
                    code=outcome.code,
                    why=decision.why,
                )
                detail = f"The push provider did not accept the push in time ({outcome.code})."
                self._fail_call(notification, FailureReason.PROVIDER_UNAVAILABLE, detail)
                return None
            case _:
                assert_never(decision)

    def _forget(self, notification: Notification, outcome: TokenDead) -> None:
        token = notification.request.token
        # Without the provider's timestamp, the token was dead when this push arrived.
        dead_since = notification.received_at if outcome.dead_since is None else outcome.dead_since
        try:
            owner = self._tokens.owner(token)
            if owner is not None:
                self._enqueue.forget(owner.device, token, dead_since)
        except (StoreUnavailable, BusUnavailable) as error:
            # The token stays; the next call finds it dead again, and that call fails at once too.
            event(log, logging.WARNING, "dead token not forgotten", error=str(error))

    @staticmethod
    def _tell(notification: Notification, attempt: int, level: int, message: str, /, **fields: object) -> None:
        event(
            log,
            level,
            message,
            call_id=notification.request.call_id,
            push_id=notification.push_id,
            provider=notification.provider,
            app=notification.request.app_id,
            token=fingerprint(notification.request.token),
            attempt=attempt,
            ms=1000 * (time.time() - notification.received_at),
            **fields,
        )
