"""Google's OAuth token endpoint: access tokens for service accounts, over HTTPS and HTTP/1.1."""

import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from pusher.simulators.authority import Authority, ServiceAccount
from pusher.simulators.misbehaviour import Answer, Delay, Script, Silent
from pusher.simulators.token_grants import TokenGrants, json_answer


class TokenServer:
    """Grants access tokens. Start it, or use it as a context manager; started again, it keeps its port."""

    def __init__(
        self,
        authority: Authority,
        *,
        lifetime_s: int = 3600,
        port: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        #: The port, once started.
        self.port = port
        self._grants = TokenGrants(lifetime_s=lifetime_s, now=now)
        self._script = Script()
        self._lock = threading.Lock()
        self._running = False
        self._requests = 0
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(authority.server_file)

    def start(self) -> Self:
        """Listen on 127.0.0.1. Raises `OSError` where the port is taken."""
        self._server = _Server(self, self._tls, self.port)
        self.port = self._server.server_port
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.02,), name="TokenServer", daemon=True)
        self._thread.start()
        self._running = True
        return self

    def close(self) -> None:
        """Drop every connection, stop listening and wait for the threads. Closing twice is closing once."""
        if not self._running:
            return
        self._running = False
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The token URI, which an assertion must name as its audience; complete once started."""
        return f"https://127.0.0.1:{self.port}/token"

    @property
    def grants(self) -> int:
        """How many access tokens were granted."""
        return self._grants.count

    @property
    def requests(self) -> int:
        """How many requests came, granted or not."""
        return self._requests

    @property
    def projects(self) -> frozenset[str]:
        """The projects of the accounts known here."""
        return self._grants.projects

    def add_account(self, account: ServiceAccount) -> None:
        """Know a service account."""
        self._grants.add_account(account)

    def project_of(self, access_token: str) -> str | None:
        """Return the project that a valid access token may send for, None for any other token."""
        return self._grants.project_of(access_token)

    def revoke_all(self) -> None:
        """Have no access token be valid any more."""
        self._grants.revoke_all()

    def next(self, behaviour: Answer | Delay | Silent, *, times: int = 1) -> None:
        """Have the next `times` requests meet `behaviour`; an answer's reason is OAuth's `error`."""
        self._script.next(behaviour, times=times)

    def always(self, behaviour: Answer | Delay | Silent) -> None:
        """Have every request meet `behaviour` unless `next` says otherwise."""
        self._script.always(behaviour)

    def clear(self) -> None:
        """Do the right thing from now on."""
        self._script.clear()

    def grant(self, form: str) -> Answer:
        """Answer the form of a token request, whatever the script says."""
        return self._grants.grant(form, self.url)

    def act(self, path: str, form: str, closing: threading.Event) -> Answer | None:
        """Return the answer to a POST, after its delay; None for silence, which lasts until `closing`."""
        with self._lock:
            self._requests += 1
        behaviour = self._script.take(lambda token: token in form)
        if behaviour is not None:
            closing.wait(behaviour.delay_s)
        match behaviour:
            case Silent():
                closing.wait()
                return None
            case Answer(body=None):
                whole = json_answer(behaviour.status, {"error": behaviour.reason})
                return Answer(status=whole.status, headers=whole.headers + behaviour.headers, body=whole.body)
            case Answer():
                return behaviour
        return self.grant(form) if path == "/token" else json_answer(404, {})


class _Server(ThreadingHTTPServer):
    # Joined when the server closes, so that no test leaves one behind.
    daemon_threads = False

    def __init__(self, owner: TokenServer, tls: ssl.SSLContext, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.owner = owner
        self.closing = threading.Event()
        self._tls = tls
        self._open: set[ssl.SSLSocket] = set()

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        """Accept; the handshake is left to the thread of the connection, where it holds up nobody."""
        plain, address = self.socket.accept()
        connection = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        self._open.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that hang up or do not trust us are what a simulator is for.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        self.closing.set()
        for connection in tuple(self._open):
            self._wake(connection)
        super().server_close()

    @staticmethod
    def _wake(connection: ssl.SSLSocket) -> None:
        """End the thread that reads from `connection`, beneath TLS, whose shutdown is for one thread."""
        try:
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            # The client was faster.
            return


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers.get("content-length", "0"))).decode("latin-1")
        answer = self.server.owner.act(self.path, form, self.server.closing)
        if answer is None:
            self.close_connection = True
            return
        body = b"" if answer.body is None else answer.body
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing: the demo's screen is not for access logs."""
