"""`pusher listen`: the bus listener, until SIGTERM."""

import logging
import signal
import threading
from contextlib import suppress

import click

from pusher import logs, wiring
from pusher.errors import BusUnavailable
from pusher.redact import url
from pusher.settings import Settings
from tasks.app import app
from tasks.enqueue import CeleryEnqueue

log = logging.getLogger("pusher.cli")


@click.command()
def listen() -> None:
    """Listen on Kazoo's bus for push requests and registrations.

    \b
    Example:
      PUSHER_BUS_URL=amqp://kazoo:secret@broker:5672// pusher listen

    SIGTERM and SIGINT finish what is in hand and leave.
    """
    settings = Settings.from_environment()
    logs.configure(log_format=settings.log_format, log_level=settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    edges = wiring.Edges.of(settings)
    calls, changes = CeleryEnqueue(app), CeleryEnqueue(app)
    listener = wiring.listener(edges, calls, changes)
    logs.event(
        log,
        logging.INFO,
        "listener starts",
        bus=url(settings.bus_url),
        redis=url(settings.redis_url),
        documents=url(settings.documents_url),
        wake_window_s=settings.wake_window_s,
    )
    edges.warm()
    with suppress(BusUnavailable):
        calls.connect()
    listener.start()
    stop.wait()
    logs.event(log, logging.INFO, "listener stops")
    listener.stop()
    calls.close()
    changes.close()
    edges.close()
    logs.event(log, logging.INFO, "listener stopped")
