"""Retry decisions."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.push.outcome import TryLater
from pusher.push.retry import ANSWER_MARGIN_S, MAX_ATTEMPTS, MAX_DELAY_S, GiveUp, RetryAt, decide_retry

NOW = 1_800_000_000.0
#: Epoch seconds as floats have a resolution of about a quarter microsecond.
EPSILON_S = 1e-6


def decide(
    *, attempt: int = 1, left_s: float = 20.0, retry_after_s: float | None = None, seed: int = 1
) -> RetryAt | GiveUp:
    outcome = TryLater(code="ServiceUnavailable", retry_after_s=retry_after_s)
    return decide_retry(outcome, attempt, NOW, NOW + left_s, random.Random(seed))


@given(
    attempt=st.integers(1, 12),
    left_s=st.floats(-100, 100),
    retry_after_s=st.none() | st.floats(-10, 120),
    seed=st.integers(0, 99),
)
@settings(max_examples=200, deadline=None)
def test_a_retry_keeps_clear_of_the_deadline_and_never_comes_before_retry_after(attempt, left_s, retry_after_s, seed):
    decision = decide(attempt=attempt, left_s=left_s, retry_after_s=retry_after_s, seed=seed)
    if isinstance(decision, RetryAt):
        assert 0 <= decision.delay_s <= left_s - ANSWER_MARGIN_S + EPSILON_S
        assert decision.delay_s >= (retry_after_s or 0)
        assert attempt < MAX_ATTEMPTS


@pytest.mark.parametrize(("attempt", "bound_s"), [(1, 0.25), (2, 0.5), (3, 1.0), (5, 4.0), (6, 5.0), (9, 5.0)])
def test_delays_spread_between_zero_and_a_bound_that_doubles(attempt, bound_s):
    delays = [decide(attempt=attempt, seed=seed).delay_s for seed in range(200)]
    assert max(delays) <= bound_s <= MAX_DELAY_S
    assert max(delays) > 0.9 * bound_s
    assert min(delays) < 0.1 * bound_s


def test_pushes_told_the_same_retry_after_do_not_come_back_together():
    delays = {decide(retry_after_s=5.0, seed=seed).delay_s for seed in range(20)}
    assert len(delays) == 20
    assert 5.0 <= min(delays) <= max(delays) <= 5.25


def test_a_delay_that_would_pass_the_deadline_becomes_a_last_attempt_before_it():
    # Half a second for the attempt, another for telling the caller.
    assert decide(left_s=5.0, retry_after_s=4.0 - EPSILON_S).delay_s == pytest.approx(4.0)


def test_a_retry_after_beyond_the_deadline_is_not_waited_for():
    assert decide(left_s=5.0, retry_after_s=4.6) == GiveUp(why="4.6 s to wait, 5.0 s left")


@pytest.mark.parametrize("left_s", [1.0, 0.5, 0.1, 0.0, -5.0])
def test_when_an_answer_cannot_come_in_time_there_is_no_retry(left_s):
    assert isinstance(decide(left_s=left_s), GiveUp)


def test_attempts_are_bounded():
    assert isinstance(decide(attempt=MAX_ATTEMPTS - 1), RetryAt)
    assert decide(attempt=MAX_ATTEMPTS) == GiveUp(why="10 attempts were not accepted")
