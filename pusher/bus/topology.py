"""The exchanges and queues on Kazoo's bus, with the exact flags everybody must agree on (facts: kazoo.md 1)."""

import os
import secrets
import socket
from contextlib import suppress
from typing import Any

from amqp.exceptions import PreconditionFailed
from kombu import Connection, Exchange, Queue, binding

from pusher.errors import BusUnavailable

PUSHES = Exchange("pushes", type="topic", durable=False, auto_delete=False)
REGISTRAR = Exchange("registrar", type="topic", durable=False, auto_delete=False)
TARGETED = Exchange("targeted", type="direct", durable=False, auto_delete=False)
CONFIGURATION = Exchange("configuration", type="topic", durable=False, auto_delete=False)

EXCHANGES = (PUSHES, REGISTRAR, TARGETED, CONFIGURATION)

#: What nobody could understand, and what nobody took in time: a week, at most 10,000 messages and 64 MiB.
DEAD = Queue(
    "pusher.dead",
    durable=True,
    max_length=10_000,
    max_length_bytes=64 * 1024 * 1024,
    message_ttl=7 * 24 * 3600,
    queue_arguments={"x-overflow": "drop-head"},
)


#: Name of the queue of push_req.
CALLS = "pusher.push_req"


def push_requests(wake_window_s: float) -> Queue:
    """Return the queue of push_req: it outlives the listener, its messages do not outlive the call."""
    # The token is a part of the key and may hold dots, hence `#` and not `*.*`.
    return Queue(
        CALLS,
        exchange=PUSHES,
        routing_key="notification.push.#",
        durable=True,
        message_ttl=wake_window_s,
        queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD.name},
    )


def registrations() -> Queue:
    """Return the queue of reg_success: bounded, and under a flood the oldest go first."""
    return Queue(
        "pusher.reg_success",
        exchange=REGISTRAR,
        routing_key="registration.success.#",
        durable=True,
        max_length=100_000,
        queue_arguments={"x-overflow": "drop-head"},
    )


def setting_changes() -> Queue:
    """Return this process' own queue of changes to the pusher document; it goes when the process goes."""
    return Queue(
        f"pusher.changes.{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}",
        bindings=[
            binding(CONFIGURATION, routing_key=f"doc_{verb}.system_config.*.pusher")
            for verb in ("created", "edited", "deleted")
        ],
        durable=False,
        exclusive=True,
        auto_delete=True,
    )


def declare_exchanges(connection: Connection) -> None:
    """Declare all four. They are transient: whoever connects after a broker's restart must do it before all else,
    because Kamailio publishes to `pushes` without declaring it and goes silent for good when it is missing.
    """
    with connection.channel() as channel:
        for exchange in EXCHANGES:
            exchange(channel).declare()


def declare_queue(connection: Connection, queue: Queue) -> None:
    """Declare and bind `queue`, replacing an empty one with other arguments, such as another wake window.

    Raises `BusUnavailable` where that one still holds messages or has a consumer.
    """
    if "x-dead-letter-exchange" in (queue.queue_arguments or {}):
        # What expires is lost where the queue that it goes to does not exist.
        declare_dead(connection)
    try:
        _declare(connection, queue)
    except PreconditionFailed:
        _delete_unused(connection, queue)
        _declare(connection, queue)


def declare_dead(connection: Connection) -> None:
    """Declare `pusher.dead`; another release's, as long as it holds letters, serves as well."""
    with suppress(BusUnavailable):
        declare_queue(connection, DEAD)


def _declare(connection: Connection, queue: Queue) -> None:
    with connection.channel() as channel:
        queue(channel).declare()


def _delete_unused(connection: Connection, queue: Queue) -> None:
    arguments: dict[str, Any] = {"if_unused": True, "if_empty": True}
    try:
        with connection.channel() as channel:
            queue(channel).delete(**arguments)
    except PreconditionFailed as error:
        raise BusUnavailable(
            f"queue {queue.name} exists with other arguments and is in use: "
            "stop its other listeners and let it empty, then start again"
        ) from error
