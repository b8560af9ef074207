"""push_req arrived: remember who waits for the answers, and have the pushes delivered by the provider's workers."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from pusher.errors import StoreUnavailable
from pusher.flows.fail_call import wait_for
from pusher.logs import Quiet, event
from pusher.messages.push_request import ArrivedRequest, PushRequest
from pusher.messages.push_response import PushResponse
from pusher.ports import Announce, Enqueue, Waits
from pusher.push.notification import Notification
from pusher.push.outcome import FailureReason
from pusher.push.routing import provider_of
from pusher.redact import fingerprint

log = logging.getLogger("pusher.flows")


class AcceptPush:
    """Runs in the listener; its only slow steps are one Redis round trip and one confirmation, for all requests."""

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

    def __call__(self, arrived: Sequence[ArrivedRequest]) -> None:
        """Take over requests. Raises `BusUnavailable`."""
        notifications, refused = [], []
        for each in arrived:
            provider = provider_of(each.request.token_type)
            if provider is None:
                refused.append(each.request)
            else:
                notifications.append(
                    Notification.of(
                        each.request,
                        provider,
                        received_at=each.received_at,
                        wake_window_s=self._wake_window_s,
                        again=each.again,
                    )
                )
        if notifications:
            if not self._remember(notifications):
                notifications = [replace(each, remembered=False) for each in notifications]
            self._enqueue.push(*notifications)
            self._tell(notifications)
        if refused:
            self._refuse(refused)

    def _remember(self, notifications: Sequence[Notification]) -> bool:
        """Write the waiting calls down; False where Redis did not take them."""
        waits = [wait for wait in map(wait_for, notifications) if wait is not None]
        if not waits:
            return True
        try:
            self._waits.add(*waits)
        except StoreUnavailable as error:
            if self._quiet.due("waits", self._monotonic()):
                event(log, logging.WARNING, "pushing without answers, Redis is away", error=str(error))
            return False
        return True

    @staticmethod
    def _tell(notifications: Sequence[Notification]) -> None:
        for notification in notifications:
            request = notification.request
            event(
                log,
                logging.INFO,
                "push requested",
                call_id=request.call_id,
                push_id=notification.push_id,
                provider=notification.provider,
                app=request.app_id,
                token=fingerprint(request.token),
                window_s=notification.expires_at - notification.received_at,
            )

    def _refuse(self, requests: Sequence[PushRequest]) -> None:
        reason = FailureReason.UNKNOWN_TOKEN_TYPE
        failure = (str(reason), "No push provider is known for this Token-Type.")
        responses = []
        for request in requests:
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
                responses.append(
                    PushResponse(
                        server_id=request.server_id, msg_id=request.msg_id, token=request.token, failure=failure
                    )
                )
        if responses:
            self._announce.respond(*responses)
