"""A provider behind breakers and places: an app that fails or hangs costs the other apps neither threads nor time."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from pusher.clock import Deadline
from pusher.logs import event
from pusher.ports import Provider
from pusher.push.app import App
from pusher.push.breaker import Breaker, Change
from pusher.push.notification import Notification
from pusher.push.outcome import Outcome, TryLater
from pusher.push.places import Places

log = logging.getLogger("pusher.flows")

#: Parts of a worker's threads that one app's pushes may hold, and while none of them is answered; and the same for all
#: apps of a provider together.
APP_SHARES = (0.75, 0.25)
PROVIDER_SHARES = (1.0, 0.5)
#: The part that every app has in any case: one whose pushes are answered must not wait for those that hang.
OWN_SHARE = 0.05
#: App ids come from the bus and may have no end; the ones pushed to least recently are forgotten.
_MAX_APPS = 1000


def places(threads: int, shares: tuple[float, float]) -> Places:
    """Return the places that `shares` of `threads` are, one at least."""
    most, most_stalled = (max(1, int(threads * share)) for share in shares)
    return Places(most, most_stalled)


@dataclass(slots=True, kw_only=True, eq=False)
class _Guard:
    """What is known of one app."""

    #: Its settings: changed ones begin anew, so that a mistake that was mended is over at once.
    app: App
    places: Places
    breaker: Breaker = field(default_factory=Breaker)


class GuardedProvider:
    """The `Provider` that workers push through. Safe for threads."""

    def __init__(self, provider: Provider, threads: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`threads` is how many pushes the worker may have under way."""
        self._provider = provider
        self._threads = threads
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._own = max(1, int(threads * OWN_SHARE))
        self._places = places(threads, PROVIDER_SHARES)
        self._guards: OrderedDict[str, _Guard] = OrderedDict()

    def push(self, notification: Notification, app: App, deadline: Deadline) -> Outcome:
        """Send once, or return at once what the app's last pushes met; see `Provider`."""
        with self._lock:
            guard = self._guard_of(app)
            answer = self._admit(guard)
        if answer is not None:
            return answer
        outcome: Outcome = TryLater(code="the push failed by an error of ours")
        try:
            outcome = self._provider.push(notification, app, deadline)
        finally:
            with self._lock:
                change = self._settle(guard, notification.request.token, outcome)
        if change is not None:
            _tell(app, change)
        return outcome

    def warm(self, app: App, deadline: Deadline) -> bool:
        """Have a connection and a token at hand; see `Provider`."""
        return self._provider.warm(app, deadline)

    def _guard_of(self, app: App) -> _Guard:
        guard = self._guards.get(app.app_id)
        if guard is None:
            guard = self._guards[app.app_id] = _Guard(app=app, places=places(self._threads, APP_SHARES))
            if len(self._guards) > _MAX_APPS:
                self._guards.popitem(last=False)
        elif guard.app is not app and guard.app != app:
            guard.app, guard.breaker = app, Breaker()
        self._guards.move_to_end(app.app_id)
        return guard

    def _admit(self, guard: _Guard) -> Outcome | None:
        """Return what the push is to be answered at once; None after counting it as sent."""
        now = self._monotonic()
        own = guard.places.taken < self._own
        if not (own or (self._places.free(now) and guard.places.free(now))):
            return TryLater(code="too many unanswered pushes")
        answer = guard.breaker.ask(now)
        if answer is None:
            for each in (self._places, guard.places):
                each.take(now)
        return answer

    def _settle(self, guard: _Guard, token: str, outcome: Outcome) -> Change | None:
        now = self._monotonic()
        for each in (self._places, guard.places):
            each.give_back(now, answered=not isinstance(outcome, TryLater))
        return guard.breaker.note(token, outcome, now)


def _tell(app: App, change: Change) -> None:
    event(
        log,
        logging.ERROR if change.opened else logging.WARNING,
        "breaker opened" if change.opened else "breaker closed",
        app=app.app_id,
        provider=app.provider,
        trouble=str(change.trouble),
        code=change.code,
        after_s=change.after_s,
    )
