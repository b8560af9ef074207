"""Whether and when a push that was not accepted is tried again: never after its call gave up."""

import random
from dataclasses import dataclass

from pusher.push.outcome import TryLater

#: Attempts of one push; with the delays below they fill the usual wake window of 20 s.
MAX_ATTEMPTS = 10
#: Seconds between the first two attempts, at most; doubled for each further one, ...
BASE_DELAY_S = 0.25
#: ... up to these.
MAX_DELAY_S = 5.0
#: Seconds before the deadline at which nothing is sent any more, so that the call hears of a failure in time.
ANSWER_MARGIN_S = 0.5
#: Seconds that the last attempt has for its provider's answer; with less it is not made.
ATTEMPT_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAt:
    """Try again, `delay_s` seconds from now."""

    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Do not try again; `why` is a phrase for the log."""

    why: str


def decide_retry(
    outcome: TryLater, attempt: int, now: float, deadline_epoch: float, rng: random.Random
) -> RetryAt | GiveUp:
    """Decide after attempt number `attempt`, counted from 1; `now` and `deadline_epoch` are epoch seconds.

    The delay is drawn between zero and a bound that doubles (full jitter): pushes that failed at once should
    not come back at once. A Retry-After comes before it and is never cut short.
    """
    if attempt >= MAX_ATTEMPTS:
        return GiveUp(why=f"{attempt} attempts were not accepted")
    asked_s = 0.0 if outcome.retry_after_s is None else max(0.0, outcome.retry_after_s)
    room_s = deadline_epoch - now - ANSWER_MARGIN_S - ATTEMPT_S
    if room_s < asked_s or room_s <= 0:
        return GiveUp(why=f"{asked_s:.1f} s to wait, {deadline_epoch - now:.1f} s left")
    jitter_s = rng.uniform(0.0, min(MAX_DELAY_S, BASE_DELAY_S * 2.0 ** (attempt - 1)))
    return RetryAt(delay_s=min(asked_s + jitter_s, room_s))
