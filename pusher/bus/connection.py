"""How Pusher connects to an AMQP broker, and which errors mean that it is gone."""

import select
import ssl
from typing import Any
from urllib.parse import urlsplit

from amqp.exceptions import AMQPError, MessageNacked
from kombu import Connection
from kombu.exceptions import KombuError

from pusher.bus.readable_frames import readable_frames
from pusher.bus.tls import TLS
from pusher.bus.topology import declare_exchanges

#: Seconds to connect, and to wait for any answer of the broker.
CONNECT_LIMIT_S = 4.0

#: What kombu and amqp raise when a broker is gone, refuses or falls silent.
CONNECTION_ERRORS: tuple[type[Exception], ...] = (AMQPError, MessageNacked, KombuError, OSError, EOFError)

#: What the kernel and py-amqp say of a broker that hangs up, as one does that takes AMQP for broken TLS.
_HUNG_UP = ("Connection reset by peer", "Server unexpectedly closed connection")


def transport_options(url: str, *, confirm: bool) -> dict[str, Any]:
    """Return kombu's options for `url`: whether each publish waits for the broker's word, and limits to every wait."""
    if urlsplit(url).scheme == "memory":
        return {"polling_interval": 0.01}
    limits = {"read_timeout": CONNECT_LIMIT_S, "write_timeout": CONNECT_LIMIT_S}
    return {"confirm_publish": confirm, "frame_handler": readable_frames, **limits}


def connect(url: str, *, heartbeat_s: int, tls: TLS | None = None) -> Connection:
    """Return a live connection to Kazoo's bus, all four exchanges declared. Raises one of `CONNECTION_ERRORS`.

    A consumer sends heartbeats; a publisher that may rest for hours cannot, and relies on TCP keep-alive.
    """
    connection = reach(url, heartbeat_s=heartbeat_s, tls=tls)
    try:
        declare_exchanges(connection)
    except BaseException:
        drop(connection)
        raise
    return connection


def reach(url: str, *, heartbeat_s: int, tls: TLS | None = None, confirm: bool = True) -> Connection:
    """Return a live connection to any broker; with `confirm`, each publish waits for its word.

    Without `tls` an `amqps://` broker needs a certificate of the system's authorities. Raises one of
    `CONNECTION_ERRORS`.
    """
    connection = Connection(
        url,
        ssl=tls or False,
        connect_timeout=CONNECT_LIMIT_S,
        heartbeat=heartbeat_s,
        transport_options=transport_options(url, confirm=confirm),
    )
    try:
        # Once: `connect()` would sleep for two seconds and try again, deaf to a stop.
        connection.ensure_connection(max_retries=0)
    except CONNECTION_ERRORS as error:
        drop(connection)
        if urlsplit(url).scheme == "amqp" and any(word in str(error) for word in _HUNG_UP):
            raise ConnectionResetError("it ended the connection at once: does it expect TLS (amqps://)?") from error
        raise
    except BaseException:
        drop(connection)
        raise
    return connection


def readable(connection: Connection) -> bool:
    """Tell whether the broker has said something that was not read yet."""
    sock = getattr(connection.connection, "sock", None)
    if sock is None:
        return False  # The memory transport has no socket.
    # What TLS has decrypted already does not show on the socket.
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def drop(connection: Connection) -> None:
    """Close a connection that broke, without a word to its broker, which may never answer."""
    connection.collect()
