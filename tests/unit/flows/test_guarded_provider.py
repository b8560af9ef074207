"""A provider behind breakers and places."""

import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from pusher.clock import Deadline
from pusher.flows.guarded_provider import APP_SHARES, OWN_SHARE, PROVIDER_SHARES, GuardedProvider
from pusher.push.app import FirebaseApp
from pusher.push.breaker import FAILING_S, FIRST_PAUSE_S, PHONES, Trouble
from pusher.push.outcome import Delivered, FailureReason, Refused, TryLater
from tests.support.until import until
from tests.unit.flows.samples import notification

APP = FirebaseApp(app_id="com.example.softphone")
OTHER = FirebaseApp(app_id="com.example.other")
MISMATCH = Refused(reason=FailureReason.TOKEN_MISMATCH, code="SENDER_ID_MISMATCH", detail="Wrong project.")
TAKEN = Delivered(provider_ref="x")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@dataclass
class Provider:
    """Answers each app with its outcome, once `gate` of that app is open."""

    outcomes: dict = field(default_factory=dict)
    gates: dict = field(default_factory=dict)
    pushed: list = field(default_factory=list)

    def push(self, notification, app, deadline):
        self.pushed.append((app.app_id, notification.request.token))
        if app.app_id in self.gates:
            assert self.gates[app.app_id].wait(10.0)
        outcome = self.outcomes.get(app.app_id, TAKEN)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def guarded(provider, clock):
    return GuardedProvider(provider, 8, monotonic=clock)


def push(guarded, app=APP, number=0):
    return guarded.push(notification(time.time(), token=f"token-{number}"), app, Deadline.after(5.0))


def fail(guarded, clock, app=APP):
    """Have the app's breaker open."""
    for number in range(PHONES[Trouble.REFUSALS]):
        push(guarded, app, number)
        clock.now += FAILING_S / 10


def test_an_app_whose_pushes_are_all_refused_is_answered_at_once_and_the_others_are_not(
    guarded, provider, clock, caplog
):
    provider.outcomes[APP.app_id] = MISMATCH
    fail(guarded, clock)
    sent = len(provider.pushed)
    answer = push(guarded)
    assert (answer.reason, len(provider.pushed)) == (MISMATCH.reason, sent)
    assert push(guarded, OTHER) == TAKEN
    (line,) = [record for record in caplog.records if record.message.startswith("breaker opened")]
    assert line.levelname == "ERROR"
    assert line.fields["app"] == APP.app_id
    assert line.fields["trouble"] == "refusals"
    assert line.fields["code"] == "SENDER_ID_MISMATCH"


def test_it_recovers_by_itself_and_says_so(guarded, provider, clock, caplog):
    provider.outcomes[APP.app_id] = MISMATCH
    fail(guarded, clock)
    provider.outcomes.clear()
    clock.now += FIRST_PAUSE_S
    assert push(guarded) == TAKEN
    assert push(guarded) == TAKEN
    assert [record.message for record in caplog.records if record.message.startswith("breaker")][-1] == "breaker closed"


def test_a_changed_setting_counts_at_once(guarded, provider, clock):
    provider.outcomes[APP.app_id] = MISMATCH
    fail(guarded, clock)
    provider.outcomes.clear()
    assert push(guarded, replace(APP)) != TAKEN, "the same settings, read again"
    assert push(guarded, replace(APP, host="fcm.example.com")) == TAKEN


def threads_pushing(guarded, app, count):
    """Push from `count` threads, and return them with the list of what they were answered."""
    answers = []
    threads = [
        threading.Thread(target=lambda at=at: answers.append(push(guarded, app, at)), daemon=True)
        for at in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads, answers


def test_an_app_that_hangs_never_holds_all_threads(guarded, provider, clock):
    provider.gates[APP.app_id] = threading.Event()
    threads, answers = threads_pushing(guarded, APP, 8)
    most = int(8 * APP_SHARES[0])
    until(lambda: len(answers) == 8 - most)
    assert answers == [TryLater(code="too many unanswered pushes")] * (8 - most)
    # Nobody of this provider has been answered for long.
    clock.now += 10.0
    assert push(guarded, OTHER) == TAKEN
    provider.gates[APP.app_id].set()
    for thread in threads:
        thread.join(10.0)
    assert answers.count(TAKEN) == most
    assert push(guarded) == TAKEN


def test_apps_that_hang_together_leave_places_for_the_provider_s_others(provider, clock):
    guarded = GuardedProvider(provider, 40, monotonic=clock)
    hanging = [FirebaseApp(app_id=f"com.example.hanging{number}") for number in range(6)]
    gate = threading.Event()
    provider.gates = dict.fromkeys((app.app_id for app in hanging), gate)
    pushing = []
    for app in hanging:
        pushing += threads_pushing(guarded, app, 5)[0]
        until(partial(all_settled, provider, pushing))
        clock.now += 1.0
    own, shared = int(40 * OWN_SHARE), int(40 * PROVIDER_SHARES[1])
    assert len(provider.pushed) == shared + 2 * own
    assert push(guarded, OTHER) == TAKEN
    gate.set()
    for thread in pushing:
        thread.join(10.0)


def all_settled(provider, pushing):
    """Tell whether each push hangs at the provider or was put off."""
    return len(provider.pushed) + sum(not thread.is_alive() for thread in pushing) == len(pushing)


def test_a_push_that_ends_in_an_error_gives_its_place_back(guarded, provider):
    provider.outcomes[APP.app_id] = ZeroDivisionError()
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            push(guarded)
    provider.outcomes.clear()
    assert push(guarded) == TAKEN


def test_apps_without_end_are_not_all_remembered(guarded):
    for number in range(1500):
        push(guarded, FirebaseApp(app_id=f"com.example.app{number}"))
    assert len(guarded._guards) == 1000
