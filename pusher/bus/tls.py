"""How Pusher speaks TLS with a broker: whom `pusher/trust.py` trusts, under the name that the URL gives.

By themselves kombu and py-amqp check no host name, cannot trust the system's authorities and a file beside them, and
wait at the end for the farewell of a broker that may be gone.
"""

import ssl
import threading
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import kombu
from amqp.transport import SSLTransport
from kombu.transport import pyamqp

from pusher import trust


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """Goes to a `TrustingConnection` as `ssl`, and to Celery as `broker_use_ssl`."""

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


class TrustingConnection(kombu.Connection):  # type: ignore[misc]
    """A connection whose `ssl` is a `TLS`; the clones that pools make of it keep that."""

    def get_transport_cls(self) -> Any:
        """Return ours for `amqps://`, for any other scheme what kombu has."""
        return _KombuTransport if self.transport_cls == "amqps" else super().get_transport_cls()


class _TLSTransport(SSLTransport):  # type: ignore[misc]
    """The socket of one connection."""

    sock: Any

    def __init__(self, host: str, tls: TLS, **limits: Any) -> None:
        super().__init__(host, **limits)
        self._tls = tls
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
    def Transport(self, host: str, connect_timeout: float, ssl: TLS, *limits: float, **options: Any) -> _TLSTransport:
        read_timeout, write_timeout = limits
        return _TLSTransport(
            host,
            ssl,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
            **options,
        )


class _KombuTransport(pyamqp.SSLTransport):  # type: ignore[misc]
    Connection = _AMQPConnection
