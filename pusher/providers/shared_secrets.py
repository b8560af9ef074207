"""Tokens that prove who we are (APNs JWTs, OAuth access tokens): all processes share one, and one renews it.

Without Redis each process makes its own, with the same ages. Ages are counted monotonically from the moment a
token is first seen here, so that a clock that jumps neither renews in a loop nor keeps a token for ever.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from pusher.clock import Deadline
from pusher.errors import GrantFailed, StoreUnavailable
from pusher.ports import SharedTokens

#: How often a process without any token looks whether the one that renews is done.
_POLL_S = 0.05
#: A token this close to its end might expire on the way.
_MARGIN_S = 30.0
#: Clocks of two hosts may differ by this much; a token from further in the future has no age we could know.
_CLOCK_SKEW_S = 60.0
#: Pushes that come this soon after a failed grant share its failure, instead of each asking again.
_FAILURE_S = 1.0
#: A provider that refuses whatever it is sent must not cost a grant per push.
_REFUSED_INTERVAL_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A new token."""

    #: No spaces around it.
    text: str = field(repr=False)
    #: Seconds for which it is accepted.
    lifetime_s: float


#: Makes a token at the given epoch seconds, before the deadline. Raises `GrantFailed`.
Issue = Callable[[float, Deadline], Grant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """When a token is renewed."""

    #: Seconds before the end of its life; at half its life and after `min_interval_s` at the earliest.
    early_s: float
    #: A token younger than this is never replaced, even if the provider refuses it.
    min_interval_s: float
    #: How long one process may take to renew before another one tries.
    lock_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A token in this process' memory."""

    text: str = field(repr=False)
    lifetime_s: float
    #: Monotonic seconds of its birth.
    born: float
    #: What the wall clock of its maker said then, in epoch seconds.
    issued_at: float


@dataclass(slots=True, eq=False)
class _Slot:
    """What is known of one name."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    held: _Held | None = None
    #: Monotonic seconds of the last failed grant, and what it said.
    failure: tuple[float, GrantFailed] | None = None
    #: Monotonic seconds until which this process is the one that renews.
    ours_until: float = float("-inf")
    #: Monotonic seconds of the last renewal because the provider refused a token.
    refused_at: float = float("-inf")


class SharedSecrets:
    """The tokens of one provider, by name. Safe for threads."""

    def __init__(
        self,
        shared: SharedTokens,
        ages: Ages,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._shared = shared
        self._ages = ages
        self._wall = wall
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}

    def get(self, name: str, issue: Issue, deadline: Deadline) -> str:
        """Return the token `name`, made by `issue` if need be. Raises `GrantFailed`."""
        slot = self._slot(name)
        held = slot.held
        if held is not None and self._fresh(held):
            return held.text
        usable = held is not None and self._usable(held)
        # While the old token still works, no push waits for the one that renews it.
        if not slot.lock.acquire(timeout=0 if usable else deadline.remaining_s()):
            if held is not None and usable:
                return held.text
            raise GrantFailed("the token was not renewed in time", ours=False)
        try:
            # Those who waited together must not ask a Redis that hangs one after the other.
            held = slot.held
            if held is not None and self._fresh(held):
                return held.text
            return self._obtain(slot, name, None, issue, deadline)
        finally:
            slot.lock.release()

    def renew(self, name: str, refused: str, issue: Issue, deadline: Deadline) -> str | None:
        """Return a token other than `refused`, None while it is too early for one. Raises `GrantFailed`."""
        slot = self._slot(name)
        if not slot.lock.acquire(timeout=deadline.remaining_s()):
            raise GrantFailed("the token was not renewed in time", ours=False)
        try:
            if slot.held is None or slot.held.text == refused:
                self._adopt(slot, name)
            held = slot.held
            if held is not None and held.text != refused:
                return held.text
            if self._young(held) or self._monotonic() - slot.refused_at < _REFUSED_INTERVAL_S:
                return None
            renewed = self._obtain(slot, name, refused, issue, deadline)
            slot.refused_at = self._monotonic()
            # A token whose time of issue moves in steps may come out the same.
            return None if renewed == refused else renewed
        finally:
            slot.lock.release()

    def _slot(self, name: str) -> _Slot:
        with self._lock:
            return self._slots.setdefault(name, _Slot())

    def _obtain(self, slot: _Slot, name: str, refused: str | None, issue: Issue, deadline: Deadline) -> str:
        """Return a token other than `refused`: the shared one, or a new one if it is on us to renew it."""
        while True:
            self._adopt(slot, name)
            held = slot.held if slot.held is not None and slot.held.text != refused else None
            if held is not None and self._fresh(held):
                return held.text
            if held is not None and not self._usable(held):
                held = None
            if self._may_issue(slot, name):
                return self._issue(slot, name, held, issue, deadline)
            if held is not None:
                return held.text
            if deadline.passed:
                raise GrantFailed("another process did not renew the token in time", ours=False)
            self._sleep(_POLL_S)

    def _adopt(self, slot: _Slot, name: str) -> None:
        """Hold the shared token if it is younger than ours."""
        try:
            stored = self._shared.get(name)
        except StoreUnavailable:
            return
        if stored is None:
            return
        lifetime, _, text = stored[0].partition(" ")
        age_s = self._wall() - stored[1]
        if not (lifetime.isascii() and lifetime.isdigit()) or age_s < -_CLOCK_SKEW_S:
            return
        shared = _Held(
            text=text, lifetime_s=float(lifetime), born=self._monotonic() - max(0.0, age_s), issued_at=stored[1]
        )
        if slot.held is None or (shared.text != slot.held.text and shared.born > slot.held.born):
            slot.held = shared

    def _may_issue(self, slot: _Slot, name: str) -> bool:
        # The lock outlives a failed grant. Without this, the process that holds it would wait for itself.
        now = self._monotonic()
        if now < slot.ours_until:
            return True
        try:
            taken = self._shared.try_lock(name, self._ages.lock_s)
        except StoreUnavailable:
            return True
        if taken:
            slot.ours_until = now + self._ages.lock_s
        return taken

    def _issue(self, slot: _Slot, name: str, held: _Held | None, issue: Issue, deadline: Deadline) -> str:
        """Make a new token and share it; while `held` still works, a failure does not fail the push."""
        now = self._wall()
        try:
            grant = self._ask(slot, now, issue, deadline)
        except GrantFailed:
            if held is None:
                raise
            return held.text
        slot.held = _Held(text=grant.text, lifetime_s=grant.lifetime_s, born=self._monotonic(), issued_at=now)
        stored = f"{grant.lifetime_s:.0f} {grant.text}"
        # Without Redis the other processes make their own; this one is good all the same.
        with suppress(StoreUnavailable):
            self._shared.put(name, stored, issued_at=now, expires_at=now + grant.lifetime_s)
        return grant.text

    def _ask(self, slot: _Slot, now: float, issue: Issue, deadline: Deadline) -> Grant:
        if slot.failure is not None and self._monotonic() - slot.failure[0] < _FAILURE_S:
            raise GrantFailed(str(slot.failure[1]), ours=slot.failure[1].ours)
        try:
            return issue(now, deadline)
        except GrantFailed as error:
            slot.failure = (self._monotonic(), error)
            raise

    def _age(self, held: _Held) -> float:
        return self._monotonic() - held.born

    def _young(self, held: _Held | None) -> bool:
        """Tell whether it is too early for another token than this one, which was refused.

        Not where its age by the wall clock is another: it is dated by a clock that was wrong, or slept with this host.
        """
        if held is None or self._age(held) >= self._ages.min_interval_s:
            return False
        return abs(self._wall() - held.issued_at - self._age(held)) <= _CLOCK_SKEW_S

    def _fresh(self, held: _Held) -> bool:
        """Tell whether there is no need to renew yet."""
        earliest_s = min(self._ages.min_interval_s, held.lifetime_s - _MARGIN_S)
        return self._age(held) < max(held.lifetime_s - self._ages.early_s, held.lifetime_s / 2, earliest_s)

    def _usable(self, held: _Held) -> bool:
        return self._age(held) < held.lifetime_s - _MARGIN_S
