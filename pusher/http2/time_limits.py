"""When a connection must end, and why, unless what it waits for comes before."""

import time

NO_NEW_REQUESTS = "the connection takes no new requests"
NOT_READY = "it did not become ready in time"
SILENT = "the peer is silent"
STILL_BUSY = "its last requests took too long"


class TimeLimits:
    """Named instants on the monotonic clock; the connection's lock guards them."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def __contains__(self, reason: str) -> bool:
        return reason in self._at

    def set(self, reason: str, seconds: float) -> float:
        """Have the connection end for `reason` in so many seconds, or when it was said before; return that instant."""
        return self._at.setdefault(reason, time.monotonic() + seconds)

    def lift(self, reason: str) -> bool:
        """Take a limit back; tell whether there was one."""
        return self._at.pop(reason, None) is not None

    def verdict(self) -> tuple[str | None, float | None]:
        """Return why the connection must end now, else for how many seconds it may wait; None for no limit."""
        if not self._at:
            return None, None
        reason, at = min(self._at.items(), key=lambda limit: limit[1])
        left_s = at - time.monotonic()
        return (reason if left_s <= 0 else None), left_s
