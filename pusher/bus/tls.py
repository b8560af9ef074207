"""How this process speaks `amqps://`: it trusts whom `pusher/trust.py` trusts, under the name that the URL gives.

By themselves kombu and py-amqp check no host name, cannot trust the system's authorities and a file beside them, and
wait at the end for the farewell of a broker that may be gone.
"""

import ssl
import threading
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from amqp.transport import SSLTransport
from kombu import transport
from kombu.transport import pyamqp

from pusher import trust


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """Goes to kombu's connections as `ssl`, and to Celery as `broker_use_ssl`."""

    context: ssl.SSLContext = field(repr=False)
    #: The host name or IP address that the broker's certificate must be for.
    server_name: str

    @classmethod
    def of(cls, url: str, ca_file: str | None) -> Self | None:
        """Return how to speak TLS with the broker at `url`, None where that is not `amqps://`.

        Raises `SettingsInvalid` for a `ca_file` that cannot be used.
        """
        parts = urlsplit(url)
        if parts.scheme != "amqps":
            return None
        return cls(context=trust.client_context(ca_file), server_name=parts.hostname or "")

    def __json__(self) -> dict[str, str]:
        """Return what `celery inspect stats` and Flower show."""
        return {"server_name": self.server_name}


class _TLSTransport(SSLTransport):  # type: ignore[misc]
    """The socket of one connection."""

    sock: Any

    def __init__(self, host: str, tls: TLS | None, **limits: Any) -> None:
        super().__init__(host, **limits)
        self._tls = tls or TLS(context=trust.client_context(None), server_name=self.host)
        # A worker's pool thread publishes events on a connection that the worker's event loop reads (decision 0013),
        # and OpenSSL would let two threads at once tear its state apart.
        self._lock = threading.Lock()

    def _setup_transport(self) -> None:
        try:
            # Not kombu's host name: where the URL says localhost, that is 127.0.0.1 by now.
            sock = self._tls.context.wrap_socket(
                self.sock, server_hostname=self._tls.server_name, do_handshake_on_connect=False
            )
            self.sock = sock
            sock.settimeout(self.connect_timeout)
            sock.do_handshake()
        except OSError as error:
            raise ConnectionError(trust.tls_problem(error)) from error

        def receive(size: int) -> bytes:
            with self._lock:
                return sock.read(size)

        self._quick_recv = receive

    def _write(self, data: bytes) -> None:
        with self._lock:
            super()._write(data)

    def _shutdown_transport(self) -> None:
        """Leave out TLS' farewell: Python would wait for the broker's, and AMQP has taken leave before."""


class _AMQPConnection(pyamqp.Connection):  # type: ignore[misc]
    def Transport(
        self, host: str, connect_timeout: float, ssl: object, *limits: float, **options: Any
    ) -> _TLSTransport:
        read_timeout, write_timeout = limits
        return _TLSTransport(
            host,
            ssl if isinstance(ssl, TLS) else None,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
            **options,
        )


class KombuTransport(pyamqp.SSLTransport):  # type: ignore[misc]
    """What kombu makes connections of."""

    Connection = _AMQPConnection


# Celery's connections come from many places, and its pools make them of a class of their own: a subclass of kombu's
# connection, or an option, would be missed by one or the other, which would then trust whom kombu trusts.
transport.TRANSPORT_ALIASES["amqps"] = f"{__name__}:{KombuTransport.__name__}"
