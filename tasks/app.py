"""The Celery app: `celery -A tasks.app worker -P threads -c 100`.

It reads no environment and connects to nothing until it is used. A worker builds its flows when it starts;
`pusher demo`, which runs a worker beside other things, puts flows of its own in place first.
"""

from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_shutdown

from pusher import logs
from pusher.settings import Settings
from pusher.wiring import Edges, WorkerFlows
from tasks.enqueue import CeleryEnqueue


class PusherApp(Celery):  # type: ignore[misc]
    """A Celery app whose tasks find their flows on it."""

    amqp_cls = "tasks.confirmed:ConfirmedAMQP"

    #: None until a worker starts.
    flows: WorkerFlows | None = None


app = PusherApp("pusher", include=["tasks.push", "tasks.devices"])
app.config_from_object("celeryconfig")


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    settings = Settings.from_environment()
    logs.configure(log_format=settings.log_format, log_level=settings.log_level)


@worker_init.connect
def _build_flows(sender: Any, **_: Any) -> None:
    if app.flows is not None:
        return
    if "thread" not in sender.pool_cls.__module__:
        # Forked processes would share one TLS connection and corrupt it.
        raise SystemExit("pusher's workers need Celery's thread pool: add -P threads")
    app.flows = WorkerFlows.of(Edges.of(Settings.from_environment()), CeleryEnqueue(app))
    app.flows.start()


@worker_shutdown.connect
def _close_flows(**_: Any) -> None:
    if app.flows is not None:
        app.flows.close()
