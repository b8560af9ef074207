"""A worker has a push: find the app's settings and have its provider send it, once."""

import logging
import time
from collections.abc import Callable, Mapping

from pusher.errors import DocumentsUnavailable, StoreUnavailable
from pusher.logs import Quiet, event
from pusher.ports import Provider, Sent, Settings
from pusher.push.app import ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TryLater
from pusher.push.retry import ANSWER_MARGIN_S

log = logging.getLogger("pusher.flows")


class DeliverPush:
    """One attempt. Safe for any number of threads."""

    def __init__(
        self,
        *,
        settings: Settings,
        providers: Mapping[ProviderName, Provider],
        sent: Sent,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._providers = providers
        self._sent = sent
        self._monotonic = monotonic
        self._quiet = Quiet(60.0)

    def __call__(self, notification: Notification, *, again: bool = True) -> Outcome:
        """Send the push, unless it is too late or was accepted before, and return what came of it.

        Without `again`, nobody had it before, and Redis need not be asked.
        """
        deadline = notification.deadline.earlier_by(ANSWER_MARGIN_S)
        if deadline.passed:
            return TryLater(code="too late to send")
        if (again or notification.again) and self._accepted_before(notification):
            return Delivered(provider_ref="accepted before")
        try:
            app = self._settings.app(notification.request.app_id, notification.provider)
        except DocumentsUnavailable:
            return TryLater(code="settings unavailable")
        if app is None:
            return Refused(
                reason=FailureReason.UNKNOWN_APP,
                code="unknown app",
                detail=f"No settings for this app and {notification.provider}.",
            )
        if not app.enabled:
            return Refused(
                reason=FailureReason.APP_DISABLED,
                code="app disabled",
                detail=f"Pushes of this app through {notification.provider} are disabled.",
            )
        outcome = self._providers[notification.provider].push(notification, app, deadline)
        if isinstance(outcome, Delivered):
            self._mark(notification)
        return outcome

    def _accepted_before(self, notification: Notification) -> bool:
        try:
            return self._sent.accepted(notification.push_id)
        except StoreUnavailable:
            return False  # A phone that rings twice is better than one that does not ring.

    def _mark(self, notification: Notification) -> None:
        try:
            self._sent.mark(notification.push_id, notification.expires_at)
        except StoreUnavailable as error:
            times = self._quiet.count("mark", self._monotonic())
            if times:
                event(
                    log,
                    logging.WARNING,
                    "accepted pushes not remembered, a redelivery would send them again",
                    push_id=notification.push_id,
                    times=times,
                    error=str(error),
                )
