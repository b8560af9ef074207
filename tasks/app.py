"""The Celery app: `celery -A tasks.app worker -P threads -c 100`.

It reads no environment and connects to nothing until it is used. A worker builds its flows when it starts;
`pusher demo`, which runs a worker beside other things, puts flows of its own in place first.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutdown

from pusher import logs
from pusher.errors import PusherError
from pusher.push.app import ProviderName
from pusher.settings import Settings
from pusher.wiring import Edges, WorkerFlows
from tasks.enqueue import CeleryEnqueue
from tasks.farewell import Farewell


class PusherApp(Celery):  # type: ignore[misc]
    """A Celery app whose tasks find their flows on it."""

    amqp_cls = "tasks.confirmed:ConfirmedAMQP"

    #: None until a worker starts.
    flows: WorkerFlows | None = None


app = PusherApp("pusher", include=["tasks.push", "tasks.devices"])
app.config_from_object("celeryconfig")
app.steps["consumer"].add(Farewell)


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    settings = _settings()
    logs.configure(log_format=settings.log_format, log_level=settings.log_level)


@worker_init.connect
def _build_flows(sender: Any, **_: Any) -> None:
    if app.flows is not None:
        return
    if "thread" not in sender.pool_cls.__module__:
        # Forked processes would share one TLS connection and corrupt it.
        raise SystemExit("pusher's workers need Celery's thread pool: add -P threads")
    try:
        app.flows = WorkerFlows.of(Edges.of(_settings()), CeleryEnqueue(app), threads=_threads(sender))
    except PusherError as error:
        raise _refusal(error) from error
    app.flows.start()


@worker_ready.connect
def _keep_warm(**_: Any) -> None:
    """Begin when it is known which queues this worker serves."""
    if app.flows is not None:
        app.flows.keep_warm([name for name in ProviderName if f"push.{name}" in app.amqp.queues.consume_from])


@worker_shutdown.connect
def _close_flows(**_: Any) -> None:
    if app.flows is not None:
        app.flows.close()


def _threads(worker: Any) -> int:
    """Return how many tasks run at a time; `-c auto` is resolved by Celery later, to the number of processors."""
    return worker.concurrency if isinstance(worker.concurrency, int) else os.cpu_count() or 1


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except PusherError as error:
        raise _refusal(error) from error


def _refusal(error: PusherError) -> SystemExit:
    """Return what ends a worker that cannot work: Celery swallows any other exception of a signal's receiver, and the
    worker would go on to take pushes and lose them.
    """
    return SystemExit(f"Error: {error}")
