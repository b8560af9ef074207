"""How many pushes one app, or one provider, may have unanswered at a time, so that it never holds all of a worker's
threads.
"""

#: Seconds without any answer after which those whose pushes are unanswered get fewer places.
STALLED_S = 0.5


class Places:
    """Places for pushes; times are monotonic seconds. Its owner sees to it that one thread at a time is in here."""

    def __init__(self, most: int, most_stalled: int) -> None:
        """`most` pushes may be unanswered at a time, `most_stalled` while no answer comes."""
        self._most = most
        self._most_stalled = most_stalled
        self._taken = 0
        #: When the last answer came, or the first of the present pushes left.
        self._moved_at = 0.0

    @property
    def taken(self) -> int:
        """How many pushes are unanswered."""
        return self._taken

    def free(self, now: float) -> bool:
        """Tell whether another push may be sent."""
        stalled = self._taken > 0 and now - self._moved_at > STALLED_S
        return self._taken < (self._most_stalled if stalled else self._most)

    def take(self, now: float) -> None:
        """Count a push that is sent."""
        if not self._taken:
            self._moved_at = now
        self._taken += 1

    def give_back(self, now: float, *, answered: bool) -> None:
        """Count an answer, or the end of waiting for one."""
        self._taken -= 1
        if answered:
            self._moved_at = now
