"""The clock of a plan: it stands still while RabbitMQ starts, for nothing can be learned of calls that nobody takes."""

import threading
import time


class Pace:
    """Counts seconds from its beginning, those left out during which it stood still. Safe for threads."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._stood_s = 0.0
        self._since: float | None = None
        self._lock = threading.Lock()

    @property
    def passed_s(self) -> float:
        """Seconds since the beginning."""
        with self._lock:
            until = time.monotonic() if self._since is None else self._since
            return until - self._began - self._stood_s

    def stand(self) -> None:
        """Stand still until `go`."""
        with self._lock:
            self._since = time.monotonic()

    def go(self) -> None:
        """Go on."""
        with self._lock:
            if self._since is not None:
                self._stood_s += time.monotonic() - self._since
                self._since = None
