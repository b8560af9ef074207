"""How a worker that stops takes its leave of a broker that does not answer.

Celery says a dozen goodbyes and waits for the answer to each, so that a broker which hangs kept a worker alive for
more than half a minute, long after its last task, until a service manager killed it.
"""

from typing import Any

from celery import bootsteps
from celery.utils.threads import bound_open_broker_sockets
from celery.worker import state
from kombu import Connection

from pusher.bus.connection import CONNECTION_ERRORS

#: Seconds that a broker has to answer the first question of a worker that stops, and each later one when it did not.
ANSWER_S, SILENT_S = 2.0, 0.1


class Farewell(bootsteps.StartStopStep):  # type: ignore[misc]
    """Stops before all other steps of the consumer, since it starts after them.

    Acknowledgements wait for no answer: those of tasks that end later are written all the same.
    """

    requires = tuple(
        f"celery.worker.consumer.{name}"
        for name in ("tasks:Tasks", "control:Control", "gossip:Gossip", "heart:Heart", "events:Events")
    )

    def start(self, consumer: Any) -> None:
        """Do nothing."""

    def stop(self, consumer: Any) -> None:
        """Ask the broker once, unless the connection is only made anew, and wait no longer for who is silent."""
        if state.should_stop is None or consumer.connection is None:
            return
        events = consumer.event_dispatcher and consumer.event_dispatcher.connection
        _bound(consumer.connection, events, seconds=ANSWER_S)
        try:
            consumer.connection.channel().close()
        except CONNECTION_ERRORS:
            _bound(consumer.connection, events, seconds=SILENT_S)


def _bound(*connections: Connection | None, seconds: float) -> None:
    for connection in connections:
        if connection is not None:
            bound_open_broker_sockets(connection, seconds)
