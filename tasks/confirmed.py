"""How workers are connected: what Celery itself publishes, retries of tasks, is confirmed, and reconnecting is quick.

Tasks come from `tasks/enqueue.py`, on connections of its own.

Were `confirm_publish` an option of every connection, the event dispatcher would use it too. Its connection is read by
the worker's event loop; a pool thread that sends an event would wait for the confirmation by reading there as well, and
two readers tear a frame apart: the loop then spins for ever and a worker's calls are lost (docs/decisions/0013).
"""

from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection, pools

from pusher.bus.connection import transport_options

#: Seconds between two attempts to reach the broker, at most.
RECONNECT_S = 2.0


class QuickConnection(Connection):  # type: ignore[misc]
    """Celery's own connection waits longer with each attempt, up to half a minute: calls would die meanwhile."""

    def ensure_connection(self, *args: Any, **options: Any) -> Connection:
        """Connect, trying again at distances of half a second to `RECONNECT_S`; the arguments are kombu's."""
        pace = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": RECONNECT_S}
        return super().ensure_connection(*args, **pace | options)


class ConfirmedAMQP(AMQP):  # type: ignore[misc]
    """Celery's `app.amqp`, with a pool of producers on confirming connections of their own."""

    Connection = QuickConnection

    _producer_pool: Any = None

    @property
    def producer_pool(self) -> Any:
        """The pool that tasks are published through."""
        if self._producer_pool is None:
            options = transport_options(self.app.conf.broker_url, confirm=True)
            connection = self.app.connection_for_write(transport_options=options)
            self._producer_pool = pools.producers[connection]
            self._producer_pool.limit = self.app.conf.broker_pool_limit
        return self._producer_pool
