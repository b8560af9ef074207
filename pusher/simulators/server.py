"""An HTTP/2 server on loopback TLS, with threads of its own, that does right or what its script says.

`apple.py` and `firebase.py` say what the right thing is.
"""

import asyncio
import logging
import socket
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self

from cryptography import x509

from pusher.simulators import misbehaviour as be
from pusher.simulators.acting import act
from pusher.simulators.authority import Authority
from pusher.simulators.ledger import Ledger, ReceivedRequest, SeenConnection, Violation
from pusher.simulators.server_connection import ServerConnection

#: Called with device token, payload and headers of each accepted push, in order, in a thread of its own.
OnPush = Callable[[str, Mapping[str, Any], Mapping[str, str]], None]

_log = logging.getLogger(__name__)


class HTTP2Server(ABC):
    """A vendor's front door. Start it, or use it as a context manager; started again, it keeps its port."""

    def __init__(
        self,
        authority: Authority,
        *,
        client_certificates: bool,
        stream_limit: int,
        stream_window: int = 65_535,
        port: int = 0,
        on_push: OnPush | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ledger = Ledger()
        self.script = be.Script()
        self.stream_limit = stream_limit
        self.stream_window = stream_window
        self.windows_held = False
        self.now = now
        #: The port, once started.
        self.port = port
        self._running = False
        self._on_push = on_push
        self._connections: set[ServerConnection] = set()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.set_alpn_protocols(["h2"])
        self._tls.load_cert_chain(authority.server_file)
        if client_certificates:
            self._tls.verify_mode = ssl.CERT_OPTIONAL
            self._tls.load_verify_locations(authority.ca_file)

    def start(self) -> Self:
        """Listen on 127.0.0.1. Raises `OSError` where the port is taken."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.port = listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._bell = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{type(self).__name__} on_push")
        name = type(self).__name__
        self._thread = threading.Thread(target=self._run, args=(listener,), name=name, daemon=True)
        self._thread.start()
        self._running = True
        return self

    def close(self) -> None:
        """Drop every connection, stop listening and wait for the threads. Closing twice is closing once."""
        if not self._running:
            return
        self._running = False
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._bell.shutdown()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def host(self) -> str:
        """`host:port`, as the `HOST` argument of the maintenance commands takes it."""
        return f"127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The requests in the order they were complete."""
        return self.ledger.requests

    @property
    def connections(self) -> list[SeenConnection]:
        """The connections in the order they were opened."""
        return self.ledger.connections

    @property
    def violations(self) -> list[Violation]:
        """What clients did wrong, in order."""
        return self.ledger.violations

    @property
    def connections_opened(self) -> int:
        """How many connections came to HTTP/2 so far."""
        return len(self.ledger.connections)

    @property
    def connections_open(self) -> int:
        """How many of them are open now."""
        return sum(seen.closed_at is None for seen in self.ledger.connections)

    def next(self, behaviour: be.Behaviour, *, times: int = 1, token: str | None = None) -> None:
        """Have the next `times` requests (that mention `token`) meet `behaviour`, first come first served."""
        self.script.next(behaviour, times=times, token=token)

    def always(self, behaviour: be.Behaviour, *, token: str | None = None) -> None:
        """Have all other requests (that mention `token`) meet `behaviour`, the newest one that fits."""
        self.script.always(behaviour, token=token)

    def clear(self) -> None:
        """Do the right thing from now on."""
        self.script.clear()

    def limit_streams(self, limit: int) -> None:
        """Announce MAX_CONCURRENT_STREAMS to every client, the coming ones included."""
        self.stream_limit = limit
        self._everywhere(lambda connection: connection.limit_streams(limit))

    def go_away(self, behaviour: be.GoAway) -> None:
        """Send GOAWAY on every connection, idle ones included; all streams so far are still answered."""
        self._everywhere(lambda connection: connection.go_away(behaviour))

    def disconnect(self) -> None:
        """Reset every connection."""
        self._everywhere(ServerConnection.disconnect)

    def hold_windows(self) -> None:
        """Send no WINDOW_UPDATE from now on: 65,535 bytes later a connection is stuck."""
        self.windows_held = True

    def release_windows(self) -> None:
        """Send WINDOW_UPDATE for all that was held back, and as usual from now on."""
        self.windows_held = False
        self._everywhere(ServerConnection.release_windows)

    @abstractmethod
    def handle(self, request: ReceivedRequest, certificate: x509.Certificate | None) -> be.Answer:
        """Do what the vendor does with the request and return the complete answer."""

    @abstractmethod
    def complete(self, request: ReceivedRequest, answer: be.Answer) -> be.Answer:
        """Return a scripted answer with the headers and the body that the vendor would send."""

    def first_stream_limit(self, certificate: x509.Certificate | None) -> int:
        """Return MAX_CONCURRENT_STREAMS for a new connection."""
        return self.stream_limit

    def ring(self, token: str, payload: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Have `on_push` called, without waiting for it."""
        if self._on_push is not None:
            self._bell.submit(self._on_push, token, payload, headers).add_done_callback(_log_failure)

    def connected(self, connection: ServerConnection) -> None:
        """Note that the connection is there."""
        self._connections.add(connection)

    def disconnected(self, connection: ServerConnection) -> None:
        """Note that the connection is gone."""
        self._connections.discard(connection)

    def received(self, request: ReceivedRequest, connection: ServerConnection) -> None:
        """Act on a complete request, now or after the behaviour's delay."""
        behaviour = self.script.take(request.mentions)
        self.ledger.request_received(replace(request, behaviour=behaviour))
        if behaviour is not None and behaviour.delay_s > 0:
            self._loop.call_later(behaviour.delay_s, self._act, request, behaviour, connection)
        else:
            self._act(request, behaviour, connection)

    def _act(self, request: ReceivedRequest, behaviour: be.Behaviour | None, connection: ServerConnection) -> None:
        # The client may have given the stream up, or a GOAWAY have cut it off.
        if connection.awaits(request):
            act(self, request, behaviour, connection)
            connection.flush()

    def _run(self, listener: socket.socket) -> None:
        # The runner cancels handshakes that are under way, which closes their sockets.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        server = await self._loop.create_server(
            lambda: ServerConnection(self),
            sock=listener,
            ssl=self._tls,
            ssl_handshake_timeout=10.0,
            ssl_shutdown_timeout=1.0,
        )
        await self._stopping.wait()
        server.close()
        for connection in tuple(self._connections):
            connection.abort()
        while self._connections:
            await asyncio.sleep(0)

    def _everywhere(self, command: Callable[[ServerConnection], None]) -> None:
        """Have every open connection obey, in the serving thread."""

        def obey() -> None:
            for connection in tuple(self._connections):
                if not connection.is_closing():
                    command(connection)
                    connection.flush()

        if self._running:
            self._loop.call_soon_threadsafe(obey)


def _log_failure(rung: Future[None]) -> None:
    error = rung.exception()
    if error is not None:
        _log.error("on_push failed", exc_info=error)
