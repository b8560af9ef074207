"""One app's circuit breaker."""

import pytest

from pusher.push.breaker import FAILING_S, FIRST_PAUSE_S, LAST_PAUSE_S, PHONES, PROBE_S, Breaker, Trouble
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater

TAKEN = Delivered(provider_ref="x")
DEAD = TokenDead(code="Unregistered")
LATER = TryLater(code="ServiceUnavailable")
THIS_DEVICE = TryLater(code="TooManyRequests", about_device=True)
MISMATCH = Refused(reason=FailureReason.TOKEN_MISMATCH, code="BadDeviceToken", detail="Wrong environment.")
CREDENTIAL = Refused(reason=FailureReason.CREDENTIAL_REFUSED, code="InvalidProviderToken", detail="Wrong key.")
REFUSED = Refused(reason=FailureReason.REFUSED, code="TopicDisallowed", detail="Wrong topic.")
MALFORMED = Refused(reason=FailureReason.MALFORMED_TOKEN, code="malformed_token", detail="No token.")
TOO_LARGE = Refused(reason=FailureReason.PAYLOAD_TOO_LARGE, code="PayloadTooLarge", detail="Too large.")
TROUBLES = [
    (LATER, Trouble.UNAVAILABLE),
    (CREDENTIAL, Trouble.CREDENTIAL),
    (MISMATCH, Trouble.REFUSALS),
    (REFUSED, Trouble.REFUSALS),
]


def fail(breaker: Breaker, outcome: Outcome, phones: int, *, at: float = 0.0, over_s: float = FAILING_S):
    """Have the pushes to so many phones meet `outcome`, spread over `over_s`; return what the last one changed."""
    change = None
    for phone in range(phones):
        now = at + over_s * phone / max(1, phones - 1)
        assert breaker.ask(now) is None
        change = breaker.note(f"token {phone}", outcome, now)
    return change


def opened(outcome: Outcome = LATER, trouble: Trouble = Trouble.UNAVAILABLE) -> Breaker:
    """Return a breaker that opened at second 1."""
    breaker = Breaker()
    assert fail(breaker, outcome, PHONES[trouble])
    assert breaker.opened
    return breaker


@pytest.mark.parametrize(("outcome", "trouble"), TROUBLES)
def test_it_opens_when_enough_phones_have_failed_for_long_enough(outcome, trouble):
    breaker = Breaker()
    assert fail(breaker, outcome, PHONES[trouble] - 1) is None
    change = breaker.note("one more", outcome, FAILING_S)
    assert change == (True, trouble, outcome.code, FAILING_S)
    assert breaker.ask(FAILING_S) is not None


def test_it_says_at_once_what_the_last_push_met():
    now = FAILING_S + 0.25
    assert opened().ask(now) == TryLater(
        code="not sent, others fail: ServiceUnavailable", retry_after_s=FIRST_PAUSE_S - 0.25
    )
    answer = opened(MISMATCH, Trouble.REFUSALS).ask(now)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.code) == (MISMATCH.reason, MISMATCH.code)
    assert answer.detail.startswith("Wrong environment. Not sent")


def test_a_broken_connection_that_fails_many_pushes_at_once_opens_nothing():
    breaker = Breaker()
    assert fail(breaker, LATER, 200, over_s=0.0) is None
    assert not breaker.opened


@pytest.mark.parametrize(("outcome", "trouble"), TROUBLES)
def test_one_phone_that_fails_again_and_again_opens_nothing(outcome, trouble):
    breaker = Breaker()
    for second in range(100):
        breaker.note("the same", outcome, float(second))
    assert not breaker.opened


@pytest.mark.parametrize("taken", [TAKEN, DEAD])
@pytest.mark.parametrize(("outcome", "trouble"), TROUBLES)
def test_one_push_that_the_provider_took_begins_the_count_anew(taken, outcome, trouble):
    breaker = Breaker()
    fail(breaker, outcome, PHONES[trouble] - 1)
    breaker.note("another", taken, FAILING_S)
    assert breaker.note("one more", outcome, FAILING_S) is None
    assert fail(breaker, outcome, PHONES[trouble] - 1, at=FAILING_S, over_s=0.5) is None


@pytest.mark.parametrize("outcome", [THIS_DEVICE, MALFORMED, TOO_LARGE])
def test_what_is_about_one_push_never_opens_it(outcome):
    breaker = Breaker()
    fail(breaker, outcome, 100)
    assert not breaker.opened


def test_failures_of_different_kinds_do_not_add_up():
    breaker = Breaker()
    fail(breaker, LATER, PHONES[Trouble.UNAVAILABLE] - 1)
    fail(breaker, CREDENTIAL, PHONES[Trouble.CREDENTIAL] - 1, at=FAILING_S)
    assert not breaker.opened


def test_after_a_pause_one_push_at_a_time_is_sent_as_a_probe():
    breaker = opened()
    now = FAILING_S + FIRST_PAUSE_S
    assert breaker.ask(now) is None
    assert breaker.ask(now) == TryLater(code="not sent, others fail: ServiceUnavailable", retry_after_s=0.5)


@pytest.mark.parametrize("taken", [TAKEN, DEAD])
def test_a_probe_that_the_provider_took_closes_it(taken):
    breaker = opened()
    now = FAILING_S + FIRST_PAUSE_S
    assert breaker.ask(now) is None
    assert breaker.note("probe", taken, now + 0.1) == (
        False,
        Trouble.UNAVAILABLE,
        "ServiceUnavailable",
        FIRST_PAUSE_S + 0.1,
    )
    assert breaker.ask(now + 0.1) is None
    assert fail(breaker, LATER, PHONES[Trouble.UNAVAILABLE] - 1, at=now + 0.1) is None, "the count began anew"


def test_probes_that_fail_come_ever_more_rarely_but_never_cease():
    breaker = opened()
    now, pauses = FAILING_S, []
    for _ in range(6):
        pause = 0.0
        while breaker.ask(now + pause) is not None:
            pause += 0.25
        pauses.append(pause)
        now += pause
        assert breaker.note("probe", LATER, now) is None
    assert pauses == [FIRST_PAUSE_S, 2.0, 4.0, LAST_PAUSE_S, LAST_PAUSE_S, LAST_PAUSE_S]


def test_a_probe_that_never_ends_is_followed_by_another():
    breaker = opened()
    now = FAILING_S + FIRST_PAUSE_S
    assert breaker.ask(now) is None
    assert breaker.ask(now + PROBE_S - 0.01) is not None
    assert breaker.ask(now + PROBE_S) is None


def test_a_probe_that_says_nothing_about_the_app_is_followed_by_another_at_once():
    breaker = opened()
    now = FAILING_S + FIRST_PAUSE_S
    assert breaker.ask(now) is None
    breaker.note("probe", THIS_DEVICE, now)
    assert breaker.ask(now) is None


def test_pushes_under_way_at_the_opening_do_not_lengthen_the_pause():
    breaker = opened()
    for _ in range(10):
        assert breaker.note("late", LATER, FAILING_S + 0.5) is None
    assert breaker.ask(FAILING_S + FIRST_PAUSE_S) is None


def test_what_a_probe_meets_is_what_the_next_pushes_are_told():
    breaker = opened()
    now = FAILING_S + FIRST_PAUSE_S
    breaker.ask(now)
    breaker.note("probe", CREDENTIAL, now)
    answer = breaker.ask(now)
    assert isinstance(answer, Refused)
    assert answer.reason == FailureReason.CREDENTIAL_REFUSED
