"""The HTTP/2 client of one origin and one set of credentials: at most one connection takes new requests.

Connections are opened when a request needs one, replaced when they go away, and kept for as long as they live.
What surely was not processed is sent again at once; what perhaps was is left to the caller.
"""

import ssl
import threading
import time
from dataclasses import dataclass

from pusher.clock import Deadline
from pusher.errors import NotProcessed
from pusher.http2.call import ConnectFailed
from pusher.http2.connection import HTTP2Connection
from pusher.http2.dial import Dialer, Proxy
from pusher.http2.fields import request_fields
from pusher.http2.origin import Origin
from pusher.http2.request import Request, Response

__all__ = ["HTTP2Pool", "Origin", "PoolStats"]

_MAX_SENDS = 3
#: With less time left, sending again is no help.
_LEAST_USEFUL_S = 0.01
#: Requests that come this soon after a failed dial share its failure: a peer that refuses us must not be dialled for
#: each of them, which costs a thread and a log line and looks like an attack.
_DIAL_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """A look at a pool."""

    #: Dials ever started.
    connections_opened: int
    #: Connections alive, those included that only finish what they have.
    connections_alive: int
    streams_in_flight: int
    #: Sends that were repeated because the one before was surely not processed.
    resent: int


class HTTP2Pool:
    """Thread safe; `send` may be called from hundreds of threads."""

    def __init__(self, origin: Origin, tls_context: ssl.SSLContext, *, proxy_url: str | None = None) -> None:
        """Connect to nothing yet; set ALPN on `tls_context`. Raises `SettingsInvalid` for a bad `proxy_url`."""
        tls_context.set_alpn_protocols(["h2"])
        proxy = None if proxy_url is None else Proxy.parse(proxy_url)
        self._dialer = Dialer(origin=origin, tls=tls_context, proxy=proxy)
        self._lock = threading.Lock()
        self._current: HTTP2Connection | None = None
        self._draining: list[HTTP2Connection] = []
        self._closed = False
        self._opened = 0
        self._resent = 0

    def send(self, request: Request, deadline: Deadline) -> Response:
        """Send `request` and return the response, at the latest when `deadline` passes.

        Raises `NotProcessed` or `OutcomeUnknown`.
        """
        fields = request_fields(self._dialer.origin.authority, request)
        for sends_left in reversed(range(_MAX_SENDS)):
            if deadline.passed:
                break
            connection = self._connection()
            try:
                return connection.send(fields, request.body, deadline)
            except ConnectFailed:
                raise
            except NotProcessed:
                if not sends_left or deadline.remaining_s() < _LEAST_USEFUL_S:
                    raise
                self._retire(connection)
        raise NotProcessed(f"{self._dialer.origin.authority}: the deadline passed before it could be sent")

    def warm(self) -> bool:
        """Have a connection for the next request, without waiting for it; True where one is ready.

        Raises `NotProcessed` where there can be none.
        """
        return self._connection().keep_alive()

    def renew(self) -> None:
        """Have the next request go on a new connection; the present one finishes what it has."""
        with self._lock:
            if self._current is not None:
                self._current.retire()

    def close(self) -> None:
        """End all connections; what is in flight fails, and so does every later request."""
        with self._lock:
            self._closed = True
            connections = self._alive()
        for connection in connections:
            connection.close()
        for connection in connections:
            connection.join()

    @property
    def stats(self) -> PoolStats:
        """Return the counts of this moment."""
        with self._lock:
            alive = self._alive()
            return PoolStats(
                connections_opened=self._opened,
                connections_alive=len(alive),
                streams_in_flight=sum(connection.in_flight for connection in alive),
                resent=self._resent,
            )

    def _connection(self) -> HTTP2Connection:
        with self._lock:
            if self._closed:
                raise NotProcessed(f"{self._dialer.origin.authority}: the pool is closed")
            if self._current is None or not (self._current.accepting or _just_failed(self._current)):
                fresh = self._dial()
                self._draining = self._alive()
                self._current = fresh
                self._opened += 1
            # One that just failed tells its failure to whoever sends on it.
            return self._current

    def _dial(self) -> HTTP2Connection:
        try:
            return HTTP2Connection(self._dialer)
        except (OSError, RuntimeError) as error:
            # This process has no descriptor or no thread left.
            raise ConnectFailed(f"{self._dialer.origin.authority}: cannot connect: {error}") from error

    def _retire(self, connection: HTTP2Connection) -> None:
        """Have the request that `connection` did not process go elsewhere."""
        connection.retire()
        with self._lock:
            self._resent += 1

    def _alive(self) -> list[HTTP2Connection]:
        known = self._draining if self._current is None else [*self._draining, self._current]
        return [connection for connection in known if not connection.ended]


def _just_failed(connection: HTTP2Connection) -> bool:
    return time.monotonic() - connection.failed_at < _DIAL_PAUSE_S
