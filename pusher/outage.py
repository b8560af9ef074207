"""A server that hangs or cannot be reached is left alone for some seconds: nobody waits for it in vain."""

import threading
import time
from collections.abc import Callable

from pusher.errors import PusherError

#: Seconds for which it is left alone. Whoever serves one call after the other would wait for it with each.
RETRY_S = 5.0
#: The same where it refuses at once: asking costs nothing, and what is not asked is a call without an answer.
REFUSED_RETRY_S = 0.5


class Outage:
    """What is known of a server that is away. Safe for threads; all who use the server share one."""

    def __init__(
        self, server: str, unavailable: type[PusherError], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._server = server
        self._unavailable = unavailable
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: What went wrong last, None while the server answers.
        self._error: str | None = None
        #: Monotonic seconds from which somebody may try again.
        self._retry_at = 0.0

    def tell(self) -> None:
        """Raise `unavailable` while it is being left alone."""
        with self._lock:
            self._tell(self._monotonic())

    def let_pass(self) -> None:
        """Return if it is worth asking now; raises `unavailable` otherwise."""
        with self._lock:
            now = self._monotonic()
            self._tell(now)
            # This one tries, the others still fail. Should it end without a word from the server, another one tries
            # when as much time has passed again.
            self._retry_at = now + RETRY_S

    def begins(self, error: str, *, at_once: bool = False) -> None:
        """Have it left alone from now on, because of `error`; not for long if that came `at_once`."""
        with self._lock:
            self._error, self._retry_at = error, self._monotonic() + (REFUSED_RETRY_S if at_once else RETRY_S)

    def ends(self) -> None:
        """Take note that it answered."""
        with self._lock:
            self._error = None

    def _tell(self, now: float) -> None:
        if self._error is not None and now < self._retry_at:
            raise self._unavailable(f"{self._server} is left alone for some seconds: {self._error}")
