"""A circuit breaker for one app: when its pushes fail for several phones in a row, its provider is asked only now and
then, and all other pushes are answered at once.

No call hangs on a provider that hangs, no provider is asked a thousand times what it refuses, and one phone's trouble
never stops the others. Which outcomes count, and from how many phones on, stands in one table.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from pusher.push.outcome import FailureReason, Outcome, Refused, TryLater
from pusher.redact import digest

#: Seconds for which pushes must have failed: a connection that breaks fails all that are on it, whose next attempts,
#: a moment later, go through.
FAILING_S = 1.0
#: Seconds from the opening to the first probe, and at most between two later ones; they double.
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 5.0
#: Seconds that a probe may take before another push becomes one.
PROBE_S = 6.0
#: Seconds after which a push that met a probe under way is tried again.
PROBING_RETRY_S = 0.5


class Trouble(StrEnum):
    """What is wrong with an app as a whole: the machine word in the log."""

    #: The provider does not answer, or asks to come back later.
    UNAVAILABLE = "unavailable"
    #: The provider does not accept our credential.
    CREDENTIAL = "credential"
    #: The provider refuses what we send: a wrong environment, topic or project.
    REFUSALS = "refusals"


#: Phones whose pushes must have failed, none of any phone having been taken meanwhile.
PHONES = {
    Trouble.UNAVAILABLE: 5,
    Trouble.CREDENTIAL: 5,
    # More: a few old tokens of the other environment are no mistake in the settings.
    Trouble.REFUSALS: 20,
}

_REFUSALS = {
    FailureReason.CREDENTIAL_REFUSED: Trouble.CREDENTIAL,
    FailureReason.TOKEN_MISMATCH: Trouble.REFUSALS,
    FailureReason.REFUSED: Trouble.REFUSALS,
}


def trouble_of(outcome: TryLater | Refused) -> Trouble | None:
    """Return what `outcome` says against the app, None where it is about one push: a token that is none, say."""
    if isinstance(outcome, TryLater):
        return None if outcome.about_device else Trouble.UNAVAILABLE
    return _REFUSALS.get(outcome.reason)


class Change(NamedTuple):
    """The breaker opened, or closed."""

    opened: bool
    trouble: Trouble
    #: The provider's own word, or ours for what is wrong with the connection.
    code: str
    #: Seconds for which pushes failed, or for which it was open.
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    trouble: Trouble
    #: What the last push met.
    outcome: TryLater | Refused
    #: Monotonic seconds of the opening, and from which the next push is a probe.
    since: float
    probe_at: float
    pause_s: float
    probing: bool = False


class Breaker:
    """The state of one app in one process; times are monotonic seconds. Its owner sees to it that one thread at a time
    is in here.
    """

    def __init__(self) -> None:
        #: Digests of the tokens whose pushes failed since one was taken, as many as matter, and since when.
        self._failing: dict[Trouble, set[str]] = {}
        self._failing_since: float | None = None
        self._open: _Open | None = None

    @property
    def opened(self) -> bool:
        """Whether pushes are answered without being sent."""
        return self._open is not None

    def ask(self, now: float) -> Outcome | None:
        """Return what a push is to be answered at once; None where it is to be sent, and its outcome told to `note`."""
        state = self._open
        if state is None:
            return None
        if now >= state.probe_at:
            self._open = replace(state, probing=True, probe_at=now + PROBE_S)
            return None
        if isinstance(state.outcome, TryLater):
            wait_s = PROBING_RETRY_S if state.probing else state.probe_at - now
            return TryLater(code=f"not sent, others fail: {state.outcome.code}", retry_after_s=wait_s)
        return replace(state.outcome, detail=f"{state.outcome.detail} Not sent: this app's last pushes all met this.")

    def note(self, token: str, outcome: Outcome, now: float) -> Change | None:
        """Take note of what a push to `token` met; return what it changed."""
        if not isinstance(outcome, TryLater | Refused):
            return self._close(now)
        trouble = trouble_of(outcome)
        if self._open is not None:
            self._stay_open(self._open, trouble, outcome, now)
            return None
        if trouble is None:
            return None
        if self._failing_since is None:
            self._failing_since = now
        failing = self._failing.setdefault(trouble, set())
        if len(failing) < PHONES[trouble]:
            failing.add(digest(token))
        lasted_s = now - self._failing_since
        if len(failing) < PHONES[trouble] or lasted_s < FAILING_S:
            return None
        self._open = _Open(
            trouble=trouble, outcome=outcome, since=now, probe_at=now + FIRST_PAUSE_S, pause_s=FIRST_PAUSE_S
        )
        return Change(opened=True, trouble=trouble, code=outcome.code, after_s=lasted_s)

    def _stay_open(self, state: _Open, trouble: Trouble | None, outcome: TryLater | Refused, now: float) -> None:
        # Pushes that were under way at the opening end here too; only a probe says anything new.
        if not state.probing:
            return
        if trouble is None:
            # It was about the probe itself: the next push shall be one.
            self._open = replace(state, probing=False, probe_at=now)
            return
        pause_s = min(LAST_PAUSE_S, 2 * state.pause_s)
        self._open = replace(
            state, trouble=trouble, outcome=outcome, probing=False, probe_at=now + pause_s, pause_s=pause_s
        )

    def _close(self, now: float) -> Change | None:
        state, self._open = self._open, None
        self._failing, self._failing_since = {}, None
        if state is None:
            return None
        return Change(opened=False, trouble=state.trouble, code=state.outcome.code, after_s=now - state.since)
