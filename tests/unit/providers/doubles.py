"""A store of shared tokens in memory, and a clock that goes when told to."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pusher.errors import StoreUnavailable


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
