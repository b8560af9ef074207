"""How Pusher connects to an AMQP broker, and which errors mean that it is gone."""

from typing import Any
from urllib.parse import urlsplit

from amqp.exceptions import AMQPError
from kombu import Connection
from kombu.exceptions import KombuError

from pusher.bus.topology import declare_exchanges

#: Seconds to connect, and to wait for a confirmation.
CONNECT_LIMIT_S = 4.0

#: What kombu and amqp raise when a broker is gone, refuses or falls silent.
CONNECTION_ERRORS: tuple[type[Exception], ...] = (AMQPError, KombuError, OSError, EOFError)


def transport_options(url: str) -> dict[str, Any]:
    """Return kombu's options for `url`: confirmed publishing, and a quick poll on the demo's memory transport."""
    if urlsplit(url).scheme == "memory":
        return {"polling_interval": 0.01}
    return {"confirm_publish": True, "write_timeout": CONNECT_LIMIT_S}


def connect(url: str, *, heartbeat_s: int) -> Connection:
    """Return a live connection on which all four exchanges are declared. Raises one of `CONNECTION_ERRORS`.

    A consumer sends heartbeats; a publisher that may rest for hours cannot, and relies on TCP keep-alive.
    """
    connection = Connection(
        url,
        connect_timeout=CONNECT_LIMIT_S,
        heartbeat=heartbeat_s,
        transport_options=transport_options(url),
    )
    try:
        connection.connect()
        declare_exchanges(connection)
    except BaseException:
        connection.release()
        raise
    return connection
