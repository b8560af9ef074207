"""Phones registered: answer every call that waited for them."""

import logging
import time
from collections.abc import Sequence

from pusher.errors import BusUnavailable, StoreUnavailable
from pusher.logs import event
from pusher.messages.push_response import PushResponse
from pusher.ports import Announce, Waits
from pusher.push.wait import Wait
from pusher.redact import fingerprint

log = logging.getLogger("pusher.flows")


class AnswerWaiting:
    """Publishes one push_resp per claimed wait."""

    def __init__(self, waits: Waits, announce: Announce) -> None:
        self._waits = waits
        self._announce = announce

    def __call__(self, waits: Sequence[Wait]) -> None:
        """Answer `waits`, which the caller claimed. Raises `BusUnavailable` after putting them back."""
        if not waits:
            return
        try:
            self._announce.respond(
                *(PushResponse(server_id=wait.server_id, msg_id=wait.msg_id, token=wait.token) for wait in waits)
            )
        except BusUnavailable:
            self._put_back(waits)
            raise
        for wait in waits:
            event(
                log,
                logging.INFO,
                "call answered, phone registered",
                call_id=wait.call_id,
                push_id=wait.push_id,
                provider=wait.provider,
                app=wait.app_id,
                token=fingerprint(wait.token),
                ms=1000 * (time.time() - wait.received_at),
            )

    def _put_back(self, waits: Sequence[Wait]) -> None:
        try:
            self._waits.add(*waits)
        except StoreUnavailable as error:
            for wait in waits:
                event(log, logging.ERROR, "call left unanswered", call_id=wait.call_id, error=str(error))
