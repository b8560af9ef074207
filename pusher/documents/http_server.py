"""Requests to the HTTP server that holds documents: bounded in time, size and number; none while it is away."""

import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import requests

from pusher import trust
from pusher.clock import Deadline
from pusher.errors import DocumentsUnavailable, PusherError
from pusher.outage import Outage

#: Seconds for a request from its begin to the last byte of its answer.
ANSWER_WITHIN_S = 4.0
#: Seconds without any answer after which nobody waits for a place any more. With a server that hangs, a queue of saves
#: would otherwise keep all threads of a worker from pushing.
TURN_TIMEOUT_S = 1.0
#: As many requests at once as a session of requests keeps connections to one host.
MAX_AT_ONCE = 10
#: Bytes; CouchDB itself takes documents of 8,000,000 bytes, unless it is told to take larger ones.
LARGEST_ANSWER = 16 * 1024 * 1024

#: Bytes after which the time is looked at: the library's own limit starts anew with each that arrives.
_PIECE = 64
_HEADERS = {
    "Accept": "application/json",
    # A few bytes could unpack to more than memory holds.
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}
#: A connection that ended under a request. One that was kept may have been closed by the server just then.
_ENDED = (ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    body: bytes = field(repr=False)


class HTTPServer:
    """One server, reached through one session. Safe for threads; connections are kept and used again."""

    def __init__(self, name: str, session: requests.Session) -> None:
        #: How errors call it.
        self.name = name
        self._session = session
        # A proxy's cookie, or a login's that has run out, would be sent beside the password.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._outage = Outage(name, DocumentsUnavailable)
        self._places = threading.BoundedSemaphore(MAX_AT_ONCE)
        #: Monotonic seconds when a place was given back last.
        self._given_back = 0.0

    def ask(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Return the answer to one request, whatever its status. Raises `DocumentsUnavailable`."""
        self._outage.tell()
        self._take_place()
        try:
            # It may have begun while we waited.
            self._outage.let_pass()
        except DocumentsUnavailable:
            self._give_back()
            raise
        try:
            answer = self._answer(method, url, body)
        except (OSError, ValueError) as error:
            raise self._unavailable(error) from error
        self._outage.ends()
        return answer

    def close(self) -> None:
        """Close the connections that nobody uses just now; the next request makes new ones."""
        self._session.close()

    def _answer(self, method: str, url: str, body: bytes | None) -> Answer:
        """Ask in a thread, which gives the place back: no resolver, no handshake and no slow byte delays us further.

        Raises `OSError`, requests' own errors among them, `ValueError` and `DocumentsUnavailable`.
        """
        deadline = Deadline.after(ANSWER_WITHIN_S)
        done: Future[Answer] = Future()

        def run() -> None:
            try:
                done.set_result(self._patient(method, url, body, deadline))
            except (OSError, ValueError, PusherError) as error:
                done.set_exception(error)
            finally:
                self._give_back()
                if not done.done():
                    done.set_exception(DocumentsUnavailable(f"{self.name}: asking failed, see the traceback"))

        try:
            threading.Thread(target=run, name="documents", daemon=True).start()
        except RuntimeError as error:
            # The system has no thread to give, and this place would never be given back.
            self._give_back()
            raise DocumentsUnavailable(f"{self.name}: {error}") from error
        return done.result(deadline.remaining_s())

    def _take_place(self) -> None:
        deadline = Deadline.after(ANSWER_WITHIN_S)
        while not self._places.acquire(timeout=TURN_TIMEOUT_S):
            if deadline.passed or time.monotonic() - self._given_back >= TURN_TIMEOUT_S:
                problem = f"{MAX_AT_ONCE} requests are under way and none ends"
                # Or everybody would wait a second for the same.
                self._outage.begins(problem)
                raise DocumentsUnavailable(f"{self.name}: {problem}")

    def _give_back(self) -> None:
        self._given_back = time.monotonic()
        self._places.release()

    def _patient(self, method: str, url: str, body: bytes | None, deadline: Deadline) -> Answer:
        try:
            return self._exchange(method, url, body, deadline)
        except requests.ConnectionError as error:
            # A change is never sent again: where the first one succeeded, the second would find another revision, and
            # its caller would take the change for somebody else's and announce nothing.
            if method != "GET" or not isinstance(_root(error), _ENDED):
                raise
        return self._exchange(method, url, body, deadline)

    def _exchange(self, method: str, url: str, body: bytes | None, deadline: Deadline) -> Answer:
        with self._session.request(
            method,
            url,
            data=body,
            headers=_HEADERS,
            timeout=max(0.001, deadline.remaining_s()),
            allow_redirects=False,
            stream=True,
        ) as response:
            data = bytearray()
            for piece in response.iter_content(_PIECE):
                data += piece
                if deadline.passed:
                    raise TimeoutError
                if len(data) > LARGEST_ANSWER:
                    raise DocumentsUnavailable(f"{self.name} sends more than {LARGEST_ANSWER} bytes")
            return Answer(response.status_code, bytes(data))

    def _unavailable(self, error: Exception) -> DocumentsUnavailable:
        root = _root(error)
        if isinstance(root, TimeoutError):
            problem = f"no answer within {ANSWER_WITHIN_S:g} s"
        elif root is None:
            # The text of what requests raises holds the whole address.
            problem = f"no proper answer ({type(error).__name__})"
        elif isinstance(root, _ENDED):
            problem = "it ended the connection"
        elif isinstance(root, ssl.SSLError):
            problem = trust.tls_problem(root)
        else:
            problem = root.strerror or type(root).__name__
        if root is not None and not isinstance(root, _ENDED):
            self._outage.begins(problem)
        return DocumentsUnavailable(f"{self.name}: {problem}")


def _root(error: BaseException) -> OSError | None:
    """Return what the socket said, where requests and urllib3 raised `error` because of it."""
    said = [
        each for each in _chain(error) if isinstance(each, OSError) and not isinstance(each, requests.RequestException)
    ]
    return said[-1] if said else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
