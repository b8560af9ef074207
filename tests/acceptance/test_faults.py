"""One fault, one test: what a call that meets it comes to (docs/reliability.md).

The faults of providers strike each push once, at the pushes of two phones under way together; both phones are woken.
"""

import signal
from contextlib import contextmanager

import pytest

from pusher.simulators.misbehaviour import (
    REFUSE,
    Answer,
    Delay,
    Disconnect,
    Garbage,
    GoAway,
    HalfClose,
    LimitStreams,
    Reset,
    Silent,
)
from pusher.simulators.stage import AppKind
from tests.acceptance.system import PATIENCE_S
from tests.support.until import until

#: Each with whether its phone rings once only: where the provider had acted on a push whose answer was lost, it may
#: ring a second time.
ONCE = {
    "GOAWAY before the push": (GoAway(processed=False, reason="Shutdown"), True),
    "GOAWAY after the push": (GoAway(processed=True, reason="Shutdown"), True),
    "a refused stream": (REFUSE, True),
    "a reset": (Reset(), True),
    "a reset after the push": (Reset(accept=True), False),
    "a disconnect": (Disconnect(), True),
    "a disconnect after the push": (Disconnect(accept=True), False),
    "a half-closed socket": (HalfClose(), True),
    "a half-closed socket after the push": (HalfClose(accept=True), False),
    "garbage": (Garbage(), True),
    "garbage after the push": (Garbage(accept=True), False),
    "silence": (Silent(), True),
    "silence after the push": (Silent(accept=True), False),
    "a slow answer": (Delay(delay_s=3.0), True),
    "a stream limit of 1": (LimitStreams(limit=1), True),
    "503": (Answer(status=503), True),
    "503 with a page of HTML": (Answer(status=503, body=b"<html>"), True),
    "429": (Answer(status=429), True),
}
WORDS = {
    AppKind.APPLE_KEY: {503: "ServiceUnavailable", 429: "TooManyRequests"},
    AppKind.FIREBASE: {503: "UNAVAILABLE", 429: "QUOTA_EXCEEDED"},
}


@pytest.fixture(autouse=True)
def _warm(system):
    """Have connections and provider tokens in place, whatever the test before left."""
    for kind in (AppKind.APPLE_KEY, AppKind.FIREBASE):
        until(lambda kind=kind: system.call(system.stage.handset(kind)).answer(5.0)["Push-Status"] == "registered")


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize(("fault", "rings_once"), ONCE.values(), ids=ONCE)
def test_a_push_that_meets_a_fault_of_its_provider_wakes_its_phone(system, kind, fault, rings_once):
    provider = system.stage.fcm if kind is AppKind.FIREBASE else system.stage.apns
    handsets = [system.stage.handset(kind) for _ in range(2)]
    for handset in handsets:
        provider.next(worded(fault, kind), token=handset.token)
    calls = [system.call(handset) for handset in handsets]
    assert [call.answer(15.0)["Push-Status"] for call in calls] == ["registered"] * 2
    assert [len(call.answers) for call in calls] == [1, 1]
    if rings_once:
        assert [len(handset.pushed_at) for handset in handsets] == [1, 1]
    if isinstance(fault, LimitStreams):
        provider.disconnect()


def worded(fault, kind):
    """Return `fault` as this vendor words it."""
    if not isinstance(fault, Answer) or fault.body is not None:
        return fault
    later = (("retry-after", "1"),) if fault.status == 429 else ()
    return Answer(status=fault.status, reason=WORDS[kind][fault.status], headers=later)


@pytest.mark.parametrize("kind", WORDS)
def test_a_provider_that_refuses_connections_fails_no_call_that_outlives_that(system, kind):
    provider = system.stage.fcm if kind is AppKind.FIREBASE else system.stage.apns
    handset = system.stage.handset(kind)
    with refusing(provider):
        call = system.call(handset)
        until(lambda: f"push will be retried call_id={call.call_id}" in system.log("worker"))
    assert call.answer(15.0)["Push-Status"] == "registered"
    assert len(handset.pushed_at) == 1


@contextmanager
def refusing(provider):
    """Have the provider close all connections and refuse new ones meanwhile, on the same port."""
    provider.close()
    try:
        yield
    finally:
        provider.start()


def test_a_killed_worker_s_pushes_are_sent_by_the_next_one(system):
    handsets = [system.stage.handset(AppKind.APPLE_KEY) for _ in range(20)]
    for handset in handsets:
        system.stage.apns.next(Silent(), token=handset.token)
    calls = [system.call(handset) for handset in handsets]
    until(lambda: all(any(r.mentions(h.token) for r in system.stage.apns.requests) for h in handsets))
    system.stop("worker", signal.SIGKILL)
    system.start_worker()
    assert [call.answer(PATIENCE_S)["Push-Status"] for call in calls] == ["registered"] * 20
    assert [len(call.answers) for call in calls] == [1] * 20


def test_a_killed_listener_s_calls_are_taken_by_the_next_one(system):
    system.stop("listener", signal.SIGKILL)
    handsets = [system.stage.handset(AppKind.FIREBASE) for _ in range(20)]
    calls = [system.call(handset) for handset in handsets]
    system.start_listener()
    assert [call.answer(PATIENCE_S)["Push-Status"] for call in calls] == ["registered"] * 20
    assert [len(handset.pushed_at) for handset in handsets] == [1] * 20


def test_an_emptied_redis_costs_no_failed_call_its_answer(system, redis_server):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    system.stage.apns.next(Answer(status=503, reason="ServiceUnavailable", headers=(("retry-after", "1"),)))
    call = system.call(handset)
    until(lambda: f"push will be retried call_id={call.call_id}" in system.log("worker"))
    redis_server.flush()
    system.stage.apns.always(Answer(status=400, reason="BadDeviceToken"), token=handset.token)
    assert call.answer(5.0)["Push-Reason"] == "token_mismatch"
    assert len(call.answers) == 1


def test_a_redis_that_is_restarted_empty_costs_no_failed_call_its_answer(system, redis_server):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    system.stage.apns.always(Answer(status=400, reason="BadDeviceToken"), token=handset.token)
    redis_server.stop()
    call = system.call(handset)
    try:
        assert call.answer(10.0)["Push-Reason"] == "token_mismatch", "while it is away"
    finally:
        redis_server.start()
    until(lambda: system.call(system.stage.handset(AppKind.FIREBASE)).answer(5.0), seconds=PATIENCE_S)
    call = system.call(handset)
    assert call.answer(5.0)["Push-Reason"] == "token_mismatch"
    assert len(call.answers) == 1
