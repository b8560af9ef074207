"""The device tasks: what registrations and providers teach about a device's push token."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from celery import Task

from pusher.errors import BusUnavailable, DocumentsUnavailable, MessageInvalid, StoreUnavailable
from pusher.logs import event
from pusher.messages import fields
from pusher.registration import push_object
from pusher.registration.device import Device
from tasks.again import run_again
from tasks.app import app
from tasks.kept import keep

log = logging.getLogger("pusher.tasks")

#: Attempts that double their distance up to five minutes: about an hour in all.
MAX_ATTEMPTS = 20
#: Epoch seconds of the year 2286.
_LATEST = 1e10


@app.task(name="pusher.devices.learn", bind=True, max_retries=None, Request="tasks.redacted:RedactedRequest")
def learn(self: Task, *_: Any, **arguments: Any) -> None:
    """Write `push_object` into the document of the device `device_id` of `account_id`."""
    try:
        device = _device(arguments)
        value = push_object.from_json(arguments.get("push_object"))
    except MessageInvalid as fault:
        keep(self, fault)
        return
    _patiently(self, lambda again: self.app.flows.learn_device(device, value, again=again))


@app.task(name="pusher.devices.forget", bind=True, max_retries=None, Request="tasks.redacted:RedactedRequest")
def forget(self: Task, *_: Any, **arguments: Any) -> None:
    """Clear `token`, dead since epoch seconds `dead_since`, from the device's document."""
    try:
        device = _device(arguments)
        token = fields.text(arguments, "token", max_length=fields.MAX_TOKEN)
        dead_since = fields.number(arguments, "dead_since", at_most=_LATEST)
        if dead_since is None:
            raise MessageInvalid("dead_since", "is missing")
    except MessageInvalid as fault:
        keep(self, fault)
        return
    _patiently(self, lambda again: self.app.flows.forget_device(device, token, dead_since, again=again))


def _device(arguments: Mapping[str, Any]) -> Device:
    found = Device.of(fields.optional_text(arguments, "account_id"), fields.optional_text(arguments, "device_id"))
    if found is None:
        raise MessageInvalid("device_id", "is missing, or account_id is")
    return found


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
