"""Shared tokens in memory, a clock that goes when told to, and connections that answer from a script."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from pusher.clock import Deadline
from pusher.errors import StoreUnavailable, TransportError
from pusher.http2.origin import Origin
from pusher.http2.request import Request, Response


@dataclass
class FakeClock:
    """Wall and monotonic time of one process; sleeping passes the time."""

    wall_s: float = 1_700_000_000.0
    monotonic_s: float = 1000.0

    def wall(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.monotonic_s

    def sleep(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds


@dataclass
class MemoryTokens:
    """`SharedTokens` in a dict, with locks that end by the store's own clock."""

    clock: Callable[[], float]
    up: bool = True
    rows: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    locks: dict[str, float] = field(default_factory=dict)
    gets: int = 0

    def get(self, name: str) -> tuple[str, float] | None:
        self._check()
        self.gets += 1
        row = self.rows.get(name)
        return None if row is None or self.clock() >= row[2] else row[:2]

    def put(self, name: str, secret: str, *, issued_at: float, expires_at: float) -> None:
        self._check()
        self.rows[name] = (secret, issued_at, expires_at)

    def try_lock(self, name: str, seconds: float) -> bool:
        self._check()
        if self.locks.get(name, 0.0) > self.clock():
            return False
        self.locks[name] = self.clock() + seconds
        return True

    def _check(self) -> None:
        if not self.up:
            raise StoreUnavailable("Redis is down")


@dataclass(eq=False)
class ScriptedPool:
    """A provider's connections that answer from a script, the last line for ever."""

    script: list[Response | TransportError]
    requests: list[Request] = field(default_factory=list)
    #: How many requests had been sent when a new connection was asked for.
    renewed_after: list[int] = field(default_factory=list)
    #: How often a connection was asked for without a request.
    warmed: int = 0
    closed: int = 0

    def send(self, request: Request, deadline: Deadline) -> Response:
        assert deadline.remaining_s() <= 5
        assert not self.closed
        answer = self.script[min(len(self.requests), len(self.script) - 1)]
        self.requests.append(request)
        if isinstance(answer, TransportError):
            raise answer
        return answer

    def warm(self) -> bool:
        self.warmed += 1
        return self.warmed > 1 or bool(self.requests)

    def renew(self) -> None:
        self.renewed_after.append(len(self.requests))

    def close(self) -> None:
        self.closed += 1


@dataclass
class Pools:
    """Makes scripted pools, and remembers for whom."""

    script: list[Response | TransportError] = field(default_factory=lambda: [Response(status=200)])
    made: list[tuple[str, ScriptedPool]] = field(default_factory=list)

    def connect(self, origin: Origin, context: ssl.SSLContext, proxy_url: str | None) -> ScriptedPool:
        pool = ScriptedPool(list(self.script))
        self.made.append((origin.authority, pool))
        return pool

    @property
    def pool(self) -> ScriptedPool:
        """The only pool."""
        ((_, pool),) = self.made
        return pool
