"""Everything the demo needs, in one process: listener, worker, providers, handsets and a proxy.

The bus and Celery's broker are kombu's memory transport, Redis is fakeredis, documents are a SQLite file, the
providers are simulators on loopback TLS; all the code between them is what runs in production.
"""

import os
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import fakeredis

from pusher import logs, wiring
from pusher.push.app import ProviderName
from pusher.settings import Settings
from pusher.simulators.proxy import ProxySimulator
from pusher.simulators.stage import Stage
from tasks.app import app
from tasks.enqueue import CeleryEnqueue

#: Bus and broker of this process.
MEMORY = "memory://localhost//"
#: Threads that push; the memory transport polls, so more would not be faster.
CONCURRENCY = 20


class DemoWorld:
    """A context manager; inside it, calls to the stage's handsets are answered."""

    def __init__(self, *, log_level: str) -> None:
        self._log_level = log_level
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pusher-demo-")))
            logs.configure(log_format="text", log_level=self._log_level)
            self.stage = stack.enter_context(Stage(folder, MEMORY))
            settings = Settings(
                bus_url=MEMORY,
                broker_url=MEMORY,
                documents_url=f"sqlite:///{folder}/pusher.db",
                ca_file=str(self.stage.authority.ca_file),
                node="pusher@demo",
            )
            redis = fakeredis.FakeStrictRedis(decode_responses=True)
            self._start_worker(stack, settings, redis)
            self._start_listener(stack, settings, redis)
            self.proxy = ProxySimulator(MEMORY)
            self.proxy.start()
            stack.callback(self.proxy.close)
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit.close()

    def _start_listener(self, stack: ExitStack, settings: Settings, redis: Any) -> None:
        edges = wiring.Edges.of(settings, redis)
        stack.callback(edges.close)
        edges.documents.save("system_config", self.stage.pusher_document())
        listener = wiring.listener(edges, CeleryEnqueue(app), CeleryEnqueue(app))
        listener.start()
        stack.callback(listener.stop)
        if not listener.wait_ready(10.0):
            raise TimeoutError("the listener did not start")

    @staticmethod
    def _start_worker(stack: ExitStack, settings: Settings, redis: Any) -> None:
        app.conf.update(broker_url=MEMORY, broker_transport_options={"polling_interval": 0.01})
        app.flows = wiring.WorkerFlows.of(wiring.Edges.of(settings, redis), CeleryEnqueue(app), threads=CONCURRENCY)
        app.flows.start()
        app.flows.keep_warm(ProviderName)
        # The pool's threads look for the current app, and without one they would make another.
        app.set_default()
        stack.callback(app.flows.close)
        worker = app.WorkController(
            hostname=f"demo@{os.getpid()}",
            pool="threads",
            concurrency=CONCURRENCY,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        thread = threading.Thread(target=worker.start, name="worker", daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(worker.stop)
