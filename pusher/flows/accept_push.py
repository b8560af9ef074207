"""A push_req arrived: remember who waits for its answer, and have it delivered by the provider's workers."""

import logging
from collections.abc import Callable

from pusher.errors import StoreUnavailable
from pusher.flows.fail_call import wait_for
from pusher.logs import Quiet, event
from pusher.messages.push_request import PushRequest
from pusher.messages.push_response import PushResponse
from pusher.ports import Announce, Enqueue, Waits
from pusher.push.notification import Notification
from pusher.push.outcome import FailureReason
from pusher.push.routing import provider_of
from pusher.redact import fingerprint

log = logging.getLogger("pusher.flows")


class AcceptPush:
    """Runs in the listener; its only slow steps are one Redis round trip and one confirmed publish."""

    def __init__(
        self,
        *,
        waits: Waits,
        enqueue: Enqueue,
        announce: Announce,
        wake_window_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._waits = waits
        self._enqueue = enqueue
        self._announce = announce
        self._wake_window_s = wake_window_s
        self._monotonic = monotonic
        self._quiet = Quiet(60.0)

    def __call__(self, request: PushRequest, received_at: float) -> None:
        """Take over `request`, which arrived at epoch seconds `received_at`. Raises `BusUnavailable`."""
        provider = provider_of(request.token_type)
        if provider is None:
            self._refuse(request)
            return
        notification = Notification.of(request, provider, received_at=received_at, wake_window_s=self._wake_window_s)
        self._remember(notification)
        self._enqueue.push(notification)
        event(
            log,
            logging.INFO,
            "push requested",
            call_id=request.call_id,
            push_id=notification.push_id,
            provider=provider,
            app=request.app_id,
            token=fingerprint(request.token),
            window_s=notification.expires_at - received_at,
        )

    def _remember(self, notification: Notification) -> None:
        wait = wait_for(notification)
        if wait is None:
            return
        try:
            self._waits.add(wait)
        except StoreUnavailable as error:
            if self._quiet.due("waits", self._monotonic()):
                event(log, logging.WARNING, "pushing without answers, Redis is away", error=str(error))

    def _refuse(self, request: PushRequest) -> None:
        reason = FailureReason.UNKNOWN_TOKEN_TYPE
        event(
            log,
            logging.WARNING,
            "push refused",
            call_id=request.call_id,
            app=request.app_id,
            reason=str(reason),
            token_type=request.token_type,
        )
        if request.server_id is not None and request.msg_id is not None:
            self._announce.respond(
                PushResponse(
                    server_id=request.server_id,
                    msg_id=request.msg_id,
                    token=request.token,
                    failure=(str(reason), "No push provider is known for this Token-Type."),
                )
            )
