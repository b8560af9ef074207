"""What an attempt's outcome leads to."""

import random
from dataclasses import replace

import pytest

from pusher.flows.fail_call import FailCall, wait_for
from pusher.flows.settle_push import SettlePush
from pusher.push.outcome import Delivered, FailureReason, Refused, TokenDead, TryLater
from tests.support.arriving import arrival
from tests.unit.flows.samples import DEVICE, PUSH_OBJECT, TOKEN, notification

REFUSED = Refused(reason=FailureReason.TOKEN_MISMATCH, code="BadDeviceToken", detail="Wrong environment.")


@pytest.fixture
def settle(world, monkeypatch):
    monkeypatch.setattr("pusher.flows.settle_push.time.time", world.clock)
    return SettlePush(
        fail_call=FailCall(world.waits, world.bus),
        tokens=world.tokens,
        enqueue=world.queue,
        rng=random.Random(1),
    )


@pytest.fixture
def push(world):
    made = notification(world.clock.now)
    world.waits.add(wait_for(made))
    return made


def registers(world):
    return arrival(world.waits, token=TOKEN, registration_token=None, device=DEVICE, digest=PUSH_OBJECT.digest)


def test_an_accepted_push_leaves_the_call_waiting(world, settle, push):
    assert settle(push, Delivered(provider_ref="x"), 1) is None
    assert len(world.waits.waiting()) == 1
    assert world.bus.responses == []


def test_a_refused_push_fails_its_call_at_once_and_only_once(world, settle, push):
    settle(push, REFUSED, 1)
    settle(push, REFUSED, 1)
    (response,) = world.bus.responses
    assert response.failure == ("token_mismatch", "Wrong environment.")
    assert (response.server_id, response.msg_id) == ("kamailio-1", "m1")


def test_a_refused_push_of_a_call_already_answered_is_not_answered_again(world, settle, push):
    registers(world)
    settle(push, REFUSED, 1)
    assert world.bus.responses == []


def test_a_refused_push_of_a_call_that_was_never_written_down_is_answered(world, settle, push):
    world.waits.claim(wait_for(push))
    settle(replace(push, remembered=False), REFUSED, 1)
    assert [response.msg_id for response in world.bus.responses] == ["m1"]


def test_a_refused_push_of_a_call_that_redis_forgot_is_answered(world, settle, push):
    world.redis.flushall()
    settle(push, REFUSED, 1)
    assert [response.msg_id for response in world.bus.responses] == ["m1"]


def test_a_refused_token_is_not_forgotten(world, settle, push):
    registers(world)
    settle(push, REFUSED, 1)
    assert world.queue.forgotten == []


def test_a_dead_token_fails_the_call_and_is_forgotten_as_of_the_providers_time(world, settle):
    registers(world)
    push = notification(world.clock.now)
    world.waits.add(wait_for(push))
    settle(push, TokenDead(code="Unregistered", dead_since=123.0), 1)
    assert world.queue.forgotten == [(DEVICE, TOKEN, 123.0)]
    assert world.bus.responses[0].failure[0] == "dead_token"


def test_a_dead_token_without_a_time_is_dead_since_its_push_arrived(world, settle, push):
    registers(world)
    settle(push, TokenDead(code="UNREGISTERED"), 1)
    assert world.queue.forgotten == [(DEVICE, TOKEN, push.received_at)]


def test_a_dead_token_of_nobody_we_know_only_fails_the_call(world, settle, push):
    settle(push, TokenDead(code="Unregistered"), 1)
    assert world.queue.forgotten == []
    assert len(world.bus.responses) == 1


def test_a_push_to_be_tried_later_is_retried_and_its_call_goes_on_waiting(world, settle, push):
    retry = settle(push, TryLater(code="503", retry_after_s=2.0), 1)
    assert retry is not None
    assert 2.0 <= retry.delay_s <= 19.5
    assert world.bus.responses == []


def test_a_push_whose_time_is_up_fails_its_call_before_the_deadline(world, settle, push):
    world.clock.now += 19.7
    assert settle(push, TryLater(code="503"), 3) is None
    assert world.bus.responses[0].failure[0] == "provider_unavailable"


def test_with_redis_away_a_failure_is_answered_all_the_same(world, settle, push):
    world.redis_away()
    settle(push, REFUSED, 1)
    assert len(world.bus.responses) == 1


def test_with_the_bus_away_a_failure_raises_nothing(world, settle, push):
    world.bus.failures = 1
    assert settle(push, REFUSED, 1) is None


def test_a_failure_that_the_bus_did_not_take_is_answered_when_its_task_comes_again(world, settle, push):
    world.bus.failures = 1
    settle(push, REFUSED, 1)
    assert world.bus.responses == []
    settle(push, REFUSED, 1)
    settle(push, REFUSED, 1)
    assert len(world.bus.responses) == 1
