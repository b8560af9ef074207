"""Answers a waiting call that its phone will not be woken, so that it goes to voicemail now and not in 20 seconds."""

import logging
from contextlib import suppress

from pusher.errors import BusUnavailable, StoreUnavailable
from pusher.logs import event
from pusher.messages.push_response import PushResponse
from pusher.ports import Announce, Waits
from pusher.push.notification import Notification
from pusher.push.outcome import FailureReason
from pusher.push.wait import Wait

log = logging.getLogger("pusher.flows")


def wait_for(notification: Notification) -> Wait | None:
    """Return the wait that the push's request stands for, None where nobody can be answered."""
    request = notification.request
    if request.server_id is None or request.msg_id is None:
        return None
    return Wait(
        push_id=notification.push_id,
        server_id=request.server_id,
        msg_id=request.msg_id,
        token=request.token,
        registration_token=request.registration_token,
        call_id=request.call_id,
        app_id=request.app_id,
        provider=str(notification.provider),
        received_at=notification.received_at,
        expires_at=notification.expires_at,
    )


class FailCall:
    """Claims a call's wait and answers it; a call that was answered before is left alone."""

    def __init__(self, waits: Waits, announce: Announce) -> None:
        self._waits = waits
        self._announce = announce

    def __call__(self, notification: Notification, reason: FailureReason, detail: str) -> None:
        """Answer with `reason` and the sentence `detail`. Raises nothing: the call has a timer of its own."""
        wait = wait_for(notification)
        # What was never written down cannot be claimed, by nobody.
        if wait is None or (notification.remembered and not self._claimed(wait)):
            return
        response = PushResponse(
            server_id=wait.server_id, msg_id=wait.msg_id, token=wait.token, failure=(str(reason), detail)
        )
        try:
            self._announce.respond(response)
        except BusUnavailable as error:
            event(log, logging.ERROR, "failure could not be answered", call_id=wait.call_id, error=str(error))
            # The broker that is away did not hear of the task's end either: it comes again, and finds the call.
            with suppress(StoreUnavailable):
                self._waits.add(wait)
            return
        event(log, logging.INFO, "call answered as failed", call_id=wait.call_id, reason=str(reason))

    def _claimed(self, wait: Wait) -> bool:
        try:
            return self._waits.claim(wait)
        except StoreUnavailable:
            # Perhaps answered before; the proxy ignores a second answer, and without any it waits out its timer.
            return True
