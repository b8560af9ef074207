"""The push task: one attempt to wake one phone."""

import logging
from typing import Any

from celery import Task

from pusher.errors import MessageInvalid
from pusher.push.notification import Notification
from pusher.push.outcome import FailureReason, Outcome, Refused
from tasks.again import run_again
from tasks.app import app
from tasks.kept import keep

log = logging.getLogger("pusher.tasks")


@app.task(name="pusher.push.deliver", bind=True, max_retries=None, Request="tasks.redacted:RedactedRequest")
def deliver(self: Task, *_: Any, **arguments: Any) -> None:
    """Send the push `notification`, carry out what its outcome asks for, and run again when that says so."""
    try:
        push = Notification.from_task(arguments.get("notification"))
    except MessageInvalid as fault:
        keep(self, fault)
        return
    outcome: Outcome
    try:
        again = self.request.retries > 0 or bool(self.request.delivery_info.get("redelivered"))
        outcome = self.app.flows.deliver_push(push, again=again)
    except Exception as error:  # Whatever went wrong, the caller must not listen to 20 seconds of silence for it.
        log.exception("push failed by an error of ours")
        outcome = Refused(
            reason=FailureReason.INTERNAL_ERROR,
            code=type(error).__name__,
            detail="Pusher failed to send the push.",
        )
    retry = self.app.flows.settle_push(push, outcome, attempt=self.request.retries + 1)
    if retry is not None:
        run_again(self, retry.delay_s)
