"""What a simulator saw, as frozen values that any thread may read while it serves."""

import threading
from dataclasses import dataclass, field, replace
from typing import Self

from h2.events import RequestReceived

from pusher.simulators.misbehaviour import Answer, Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One request, complete unless it was refused at its headers."""

    connection_id: int
    stream_id: int
    #: Epoch seconds when it was complete.
    at: float
    method: str
    #: Path and query.
    path: str = field(repr=False)
    #: The `:authority` pseudo header.
    authority: str = ""
    #: Without the pseudo headers, in the order received, duplicates included.
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    #: Names, `:path` included, that the client forbade to index (RFC 7541 7.1.3).
    never_indexed: frozenset[str] = frozenset()
    body: bytes = field(default=b"", repr=False)
    #: What the script had for it; None for the right thing, or where a GOAWAY had cut it off.
    behaviour: Behaviour | None = None
    #: What was sent back; None where nothing was, or not yet.
    answer: Answer | None = None

    @classmethod
    def of(cls, connection_id: int, event: RequestReceived, body: bytes, at: float) -> Self:
        """Return the request that began with h2's `event`."""
        texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
        pseudo = {name: value for name, value in texts if name.startswith(":")}
        secret = [getattr(header, "indexable", True) is False for header in event.headers]
        return cls(
            connection_id=connection_id,
            stream_id=event.stream_id,
            at=at,
            method=pseudo[":method"],
            path=pseudo.get(":path", ""),
            authority=pseudo.get(":authority", ""),
            headers=tuple(header for header in texts if not header[0].startswith(":")),
            never_indexed=frozenset(name for (name, _), kept_out in zip(texts, secret, strict=True) if kept_out),
            body=body,
        )

    def header(self, name: str) -> str | None:
        """Return the first value of lower-case `name`, None where there is none."""
        return next((value for key, value in self.headers if key == name), None)

    def mentions(self, token: str) -> bool:
        """Tell whether the device token stands in the path or in the body."""
        return token in self.path or token.encode() in self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenConnection:
    """One TLS connection that came to HTTP/2."""

    connection_id: int
    #: Epoch seconds.
    opened_at: float
    #: Epoch seconds; None while it is open.
    closed_at: float | None = None
    #: RFC 4514 subject of the client's certificate; None where it gave none.
    client_subject: str | None = None
    #: Streams the client opened, the refused ones included.
    streams: int = 0
    #: Most streams open at once.
    max_concurrent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Something a well-behaved client does not do."""

    connection_id: int
    #: 0 where it is about the connection.
    stream_id: int
    #: `stream over limit`, `stream after GOAWAY`, `PRIORITY frame`, `no ALPN h2` or `protocol error: ...`.
    problem: str


class Ledger:
    """Written by the serving thread."""

    def __init__(self, *, requests_kept: int = 100_000) -> None:
        # An operator's load test must not fill the memory; a test that counts sends far fewer.
        self._requests_kept = requests_kept
        self._lock = threading.Lock()
        self._requests: dict[tuple[int, int], ReceivedRequest] = {}
        self._connections: dict[int, SeenConnection] = {}
        self._violations: list[Violation] = []

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The requests in the order they were complete."""
        with self._lock:
            return list(self._requests.values())

    @property
    def connections(self) -> list[SeenConnection]:
        """The connections in the order they were opened."""
        with self._lock:
            return list(self._connections.values())

    @property
    def violations(self) -> list[Violation]:
        """What clients did wrong, in order."""
        with self._lock:
            return list(self._violations)

    def connection_opened(self, at: float, client_subject: str | None) -> int:
        """Note a new connection and return its id, counted from 1."""
        with self._lock:
            connection_id = len(self._connections) + 1
            self._connections[connection_id] = SeenConnection(
                connection_id=connection_id, opened_at=at, client_subject=client_subject
            )
        return connection_id

    def connection_closed(self, connection_id: int, at: float) -> None:
        """Note the end of a connection."""
        with self._lock:
            self._connections[connection_id] = replace(self._connections[connection_id], closed_at=at)

    def stream_opened(self, connection_id: int, concurrent: int) -> None:
        """Note that the client opened one more stream and has `concurrent` of them now."""
        with self._lock:
            seen = self._connections[connection_id]
            self._connections[connection_id] = replace(
                seen, streams=seen.streams + 1, max_concurrent=max(seen.max_concurrent, concurrent)
            )

    def request_received(self, request: ReceivedRequest) -> None:
        """Note a request, dropping the oldest where too many are kept."""
        with self._lock:
            self._requests[request.connection_id, request.stream_id] = request
            if len(self._requests) > self._requests_kept:
                del self._requests[next(iter(self._requests))]

    def forget_requests(self) -> None:
        """Drop the requests so far; answers to them are not noted any more."""
        with self._lock:
            self._requests.clear()

    def request_answered(self, request: ReceivedRequest, answer: Answer) -> None:
        """Note what `request` was answered."""
        key = request.connection_id, request.stream_id
        with self._lock:
            if key in self._requests:
                self._requests[key] = replace(self._requests[key], answer=answer)

    def violated(self, connection_id: int, stream_id: int, problem: str) -> None:
        """Note a violation."""
        with self._lock:
            self._violations.append(Violation(connection_id=connection_id, stream_id=stream_id, problem=problem))
