"""Providers that are not well: retried within the call's time, and never after it."""

import time

import pytest

from pusher.simulators.misbehaviour import Answer, GoAway, Silent
from pusher.simulators.stage import AppKind
from tests.support.until import until

UNAVAILABLE = Answer(status=503, reason="ServiceUnavailable")


def requests_for(system, handset):
    return [request for request in system.stage.apns.requests if request.mentions(handset.token)]


def with_certificate(system):
    """Return the numbers of the connections that the app with a certificate opened."""
    return [seen.connection_id for seen in system.stage.apns.connections if seen.client_subject]


def test_503_then_503_then_200_is_one_push_in_three_attempts_under_one_apns_id(system):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    system.stage.apns.next(UNAVAILABLE, times=2, token=handset.token)
    assert system.call(handset).answer(20.0)["Push-Status"] == "registered"
    attempts = requests_for(system, handset)
    assert [attempt.answer.status for attempt in attempts] == [503, 503, 200]
    assert len({attempt.header("apns-id") for attempt in attempts}) == 1
    assert len(handset.pushed_at) == 1


def test_retry_after_is_honoured(system):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    later = Answer(status=429, reason="TooManyRequests", headers=(("retry-after", "2"),))
    system.stage.apns.next(later, token=handset.token)
    assert system.call(handset).answer(20.0)["Push-Status"] == "registered"
    first, second = requests_for(system, handset)
    assert 2.0 <= second.at - first.at < 4.0


def test_a_retry_after_beyond_the_deadline_fails_the_call_at_once(system):
    handset = system.stage.handset(AppKind.FIREBASE)
    quota = Answer(status=429, reason="QUOTA_EXCEEDED", headers=(("retry-after", "60"),))
    system.stage.fcm.next(quota, token=handset.token)
    assert system.call(handset).answer(2.0)["Push-Reason"] == "provider_unavailable"


@pytest.mark.parametrize("behaviour", [UNAVAILABLE, Silent()], ids=["503", "silent"])
def test_a_provider_that_never_accepts_fails_the_call_before_its_deadline_and_is_left_alone_after_it(system, behaviour):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    system.stage.apns.always(behaviour, token=handset.token)
    deadline = time.time() + 4
    call = system.call(handset, Expires=4)
    answer = call.answer(10.0)
    assert time.time() <= deadline
    assert answer["Push-Reason"] == "provider_unavailable"
    # As long again as the window was: a straggler would have come by now.
    until(lambda: time.time() > deadline + 4, seconds=10)
    assert all(request.at <= deadline for request in requests_for(system, handset))


def test_a_push_whose_deadline_passed_while_the_workers_were_down_is_never_sent(system):
    late, fresh = (system.stage.handset(AppKind.APPLE_KEY) for _ in range(2))
    system.stop("worker")
    system.call(late, Expires=1)
    until(lambda: f"app={late.app_id}" in system.log("listener"))
    passed = time.time() + 1.2
    until(lambda: time.time() > passed)
    system.start_worker()
    assert system.call(fresh).answer(5.0)
    assert requests_for(system, late) == []


def test_500_pushes_of_one_app_share_one_connection_within_the_stream_limit(system):
    assert system.call(system.stage.handset(AppKind.APPLE_CERTIFICATE)).answer(5.0)
    before = with_certificate(system)
    system.stage.apns.limit_streams(20)
    handsets = [system.stage.handset(AppKind.APPLE_CERTIFICATE) for _ in range(500)]
    calls = [system.call(handset) for handset in handsets]
    assert all(call.answer(20.0)["Push-Status"] == "registered" for call in calls)
    assert with_certificate(system) == before
    assert system.stage.apns.connections[before[-1] - 1].streams > 500
    assert all(len(handset.pushed_at) == 1 for handset in handsets)
    system.stage.apns.limit_streams(1000)


@pytest.mark.parametrize("processed", [True, False], ids=["answered", "not processed"])
def test_after_goaway_every_push_is_accepted_exactly_once(system, processed):
    handsets = [system.stage.handset(AppKind.APPLE_CERTIFICATE) for _ in range(100)]
    goaway = GoAway(processed=processed, reason="Shutdown", closes=False)
    for middle in (30, 60, 90):
        system.stage.apns.next(goaway, token=handsets[middle].token)
    calls = [system.call(handset) for handset in handsets]
    assert all(call.answer(20.0)["Push-Status"] == "registered" for call in calls)
    assert [len(system.stage.pushes_to(handset.token)) for handset in handsets] == [1] * 100
