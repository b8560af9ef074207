"""The worker's consumer: a message that is no task of ours is kept in `pusher.dead` and ends no worker.

Celery drops such messages with a line in the log. Some it does not expect at all, such as arguments that are no list:
they end the worker, and then the next one, for a message that was not acknowledged comes again.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from kombu.message import Message

from pusher.bus import burial
from pusher.bus.delivery import body_of
from pusher.errors import BusUnavailable
from pusher.logs import event
from tasks.kept import AGAIN_S

log = logging.getLogger("pusher.tasks")

#: What Celery's reading of a strange message has been seen to raise.
_SURPRISES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


class KeepingConsumer(Consumer):  # type: ignore[misc]
    """Loses no message that Celery cannot make a task of."""

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Message], None]:
        """Return Celery's handler of a received message, with nothing left that it does not expect."""
        handle = super().create_task_handler(*args, **options)

        def take(message: Message) -> None:
            try:
                handle(message)
            except _SURPRISES as error:
                self._keep(message, f"cannot be read: {type(error).__name__}")

        return take

    def on_unknown_message(self, body: object, message: Message) -> None:
        """Keep a message that names no task."""
        self._keep(message, "names no task")

    def on_unknown_task(self, body: object, message: Message, exc: Exception) -> None:
        """Keep a task that this release does not have."""
        self._keep(message, "is of an unknown name")

    def on_invalid_task(self, body: object, message: Message, exc: Exception) -> None:
        """Keep a task whose message is not as Celery wants it."""
        self._keep(message, f"is invalid: {type(exc).__name__}")

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Keep a task whose body is not what its content type says."""
        self._keep(message, "has a body that cannot be decoded")

    def _keep(self, message: Message, problem: str) -> None:
        queue, body = str(message.delivery_info.get("routing_key") or ""), body_of(message)
        problem = f"task: {problem}"
        headers = burial.headers(reason=burial.TASK_INVALID, problem=problem, queue=queue, size=len(body))
        try:
            self.app.flows.bury(body, headers)
        except BusUnavailable as error:
            event(log, logging.WARNING, "task could not be kept, it comes again", queue=queue, error=str(error))
            # At once, it would come back at once.
            self.timer.call_after(AGAIN_S, message.reject_log_error, (log, self.connection_errors, True))
            return
        event(log, logging.WARNING, "task not understood, kept in pusher.dead", queue=queue, problem=problem)
        message.ack_log_error(log, self.connection_errors)
