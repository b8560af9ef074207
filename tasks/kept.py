"""Keeps tasks that cannot be rebuilt, such as another release's, in `pusher.dead`, where people can read them."""

import json
import logging

from celery import Task

from pusher.bus import burial
from pusher.errors import BusUnavailable, MessageInvalid
from pusher.logs import event
from tasks.again import run_again

log = logging.getLogger("pusher.tasks")

#: Seconds after which a task is tried to be kept again while the bus is away.
AGAIN_S = 5.0


def keep(task: Task, fault: MessageInvalid) -> None:
    """Put the task in hand into `pusher.dead`, for it cannot be rebuilt: `fault` says why."""
    request = task.request
    queue = str((request.delivery_info or {}).get("routing_key") or "")
    body = _body(task)
    headers = burial.headers(reason=burial.TASK_INVALID, problem=str(fault), queue=queue, size=len(body))
    try:
        task.app.flows.bury(body, headers)
    except BusUnavailable as error:
        event(log, logging.WARNING, "task could not be kept, it comes again", task=task.name, error=str(error))
        run_again(task, AGAIN_S)
    event(log, logging.WARNING, "task not understood, kept in pusher.dead", task=task.name, problem=str(fault))


def _body(task: Task) -> bytes:
    written = {"task": task.name, "args": task.request.args, "kwargs": task.request.kwargs}
    try:
        # Celery reads more than JSON out of JSON, such as dates.
        return json.dumps(written, default=str).encode()
    except (ValueError, TypeError, RecursionError) as error:
        return json.dumps({"task": task.name, "unwritable": type(error).__name__}).encode()
