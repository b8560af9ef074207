"""Has Celery run a task again later, without losing it to a broker that is away just then."""

from typing import Any, NoReturn

from celery import Task
from celery.exceptions import Reject

from tasks.redacted import shown


def run_again(task: Task, delay_s: float) -> NoReturn:
    """End the task in hand and have it run again with the same arguments in `delay_s` seconds."""
    shown_again: dict[str, Any] = {"argsrepr": "()", "kwargsrepr": shown(task.request.kwargs)}
    try:
        # Celery derives new representations from the raw arguments, tokens and all, unless it is given some.
        raise task.retry(countdown=delay_s, **shown_again)
    except Reject as rejected:
        # Celery would drop a task that it cannot publish again; so it goes back to its queue, for now.
        raise Reject(rejected.reason, requeue=True) from rejected
