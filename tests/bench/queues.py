"""Declares what the listener would declare, so that its queues can be filled before it starts."""

from pusher.bus.connection import connect, drop
from pusher.bus.topology import declare_queue, push_requests, registrations

#: Seconds; see `lab.Site`.
WAKE_WINDOW_S = 600.0


def declare_bus(url: str) -> None:
    """Declare exchanges and queues."""
    connection = connect(url, heartbeat_s=0)
    declare_queue(connection, push_requests(WAKE_WINDOW_S))
    declare_queue(connection, registrations())
    drop(connection)
