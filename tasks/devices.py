"""The device tasks: what registrations and providers teach about a device's push token."""

import logging
from collections.abc import Callable

from celery import Task

from pusher.errors import BusUnavailable, DocumentsUnavailable, StoreUnavailable
from pusher.logs import event
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from tasks.again import run_again
from tasks.app import app

log = logging.getLogger("pusher.tasks")

#: Attempts that double their distance up to five minutes: about an hour in all.
MAX_ATTEMPTS = 20


@app.task(name="pusher.devices.learn", bind=True, max_retries=None, Request="tasks.redacted:RedactedRequest")
def learn(self: Task, account_id: str, device_id: str, push_object: dict[str, str]) -> None:
    """Write the push object into the device's document."""
    device = Device(account_id=account_id, device_id=device_id)
    value = PushObject(tuple(push_object.items()))
    _patiently(self, lambda again: self.app.flows.learn_device(device, value, again=again))


@app.task(name="pusher.devices.forget", bind=True, max_retries=None, Request="tasks.redacted:RedactedRequest")
def forget(self: Task, account_id: str, device_id: str, token: str, dead_since: float) -> None:
    """Clear a dead token from the device's document."""
    device = Device(account_id=account_id, device_id=device_id)
    _patiently(self, lambda again: self.app.flows.forget_device(device, token, dead_since, again=again))


def _patiently(task: Task, work: Callable[[bool], None]) -> None:
    attempt = task.request.retries + 1
    # A worker that was killed may have saved the document and not announced it.
    redelivered = bool(task.request.delivery_info.get("redelivered"))
    try:
        work(attempt > 1 or redelivered)
    except (DocumentsUnavailable, StoreUnavailable, BusUnavailable) as error:
        level = logging.ERROR if attempt == MAX_ATTEMPTS else logging.WARNING
        event(log, level, "device task failed", task=task.name, attempt=attempt, error=str(error))
        if attempt < MAX_ATTEMPTS:
            run_again(task, min(300.0, 2.0 ** (attempt - 1)))
