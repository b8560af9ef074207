"""Deadlines."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from pusher.clock import Deadline, from_epoch, utcnow


def test_now_is_aware_and_now():
    assert abs(utcnow() - datetime.now(UTC)) < timedelta(seconds=5)
    assert utcnow().utcoffset() == timedelta(0)


def test_epoch_seconds_become_an_aware_time():
    assert from_epoch(0.5) == datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_deadline_counts_down():
    deadline = Deadline.after(60)
    assert 50 < deadline.remaining_s() <= 60
    assert not deadline.passed


def test_a_passed_deadline_has_nothing_left_and_never_less():
    deadline = Deadline.after(-60)
    assert deadline.remaining_s() == 0
    assert deadline.passed


def test_a_deadline_at_this_instant_has_passed():
    assert Deadline(time.monotonic()).passed


@pytest.mark.parametrize("seconds", [60.0, -60.0])
def test_an_instant_on_the_wall_clock_becomes_one_on_this_process_clock(seconds):
    deadline = Deadline.at_epoch(time.time() + seconds)
    assert deadline.at == pytest.approx(time.monotonic() + seconds, abs=5)


def test_a_step_gets_its_own_limit_but_never_more_than_is_left():
    deadline = Deadline.after(10)
    assert deadline.at_most(1000) == deadline
    assert deadline.at_most(1).at < deadline.at


def test_an_earlier_deadline_leaves_time_to_answer():
    assert Deadline(100.0).earlier_by(0.5) == Deadline(99.5)
