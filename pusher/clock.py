"""Time: the wall clock for what others see, the monotonic clock for how long we wait."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def from_epoch(seconds: float) -> datetime:
    """Return epoch `seconds` as an aware UTC time."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The instant after which an answer is worthless, on this process' monotonic clock.

    Processes exchange the wall clock's `expires_at`; within one process the rest is counted monotonically, so that
    a jump of the wall clock neither cuts a push short nor lets it out late.
    """

    #: `time.monotonic()` seconds.
    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline `seconds` from now."""
        return cls(time.monotonic() + seconds)

    @classmethod
    def at_epoch(cls, expires_at: float) -> "Deadline":
        """Return the deadline at epoch seconds `expires_at`, read off the wall clock once, now."""
        return cls.after(expires_at - time.time())

    def remaining_s(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Tell whether nothing is left."""
        return time.monotonic() >= self.at

    def at_most(self, seconds: float) -> "Deadline":
        """Return this deadline or the one `seconds` from now, whichever comes first."""
        return min(self, Deadline.after(seconds), key=lambda deadline: deadline.at)

    def earlier_by(self, seconds: float) -> "Deadline":
        """Return the deadline that lies `seconds` before this one."""
        return Deadline(self.at - seconds)
