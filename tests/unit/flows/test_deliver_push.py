"""One attempt to deliver a push."""

import time
from dataclasses import replace

import pytest

from pusher.flows.deliver_push import DeliverPush
from pusher.push.app import FirebaseApp, ProviderName
from pusher.push.outcome import Delivered, Refused, TryLater
from pusher.stores.sent import RedisSent
from tests.support.recorders import FixedSettings, ScriptedProvider
from tests.unit.flows.samples import notification

APP = FirebaseApp(app_id="com.example.softphone")


@pytest.fixture
def settings():
    return FixedSettings(apps={(APP.app_id, ProviderName.FIREBASE): APP})


@pytest.fixture
def provider():
    return ScriptedProvider(Delivered(provider_ref="x"))


@pytest.fixture
def deliver(world, settings, provider):
    return DeliverPush(settings=settings, providers={ProviderName.FIREBASE: provider}, sent=RedisSent(world.redis))


def test_an_accepted_push_is_not_sent_again_when_it_is_redelivered(deliver, provider):
    push = notification(time.time())
    assert deliver(push) == Delivered(provider_ref="x")
    assert isinstance(deliver(push), Delivered)
    assert len(provider.pushed) == 1


def test_redis_is_not_asked_about_a_push_that_nobody_had_before(deliver, provider, world):
    push = notification(time.time())
    RedisSent(world.redis).mark(push.push_id, push.expires_at)
    deliver(push, again=False)
    assert len(provider.pushed) == 1
    assert deliver(replace(push, again=True), again=False) == Delivered(provider_ref="accepted before")
    assert deliver(push, again=True) == Delivered(provider_ref="accepted before")
    assert len(provider.pushed) == 1


def test_a_push_that_was_not_accepted_is_sent_again(deliver, provider):
    provider.outcome = TryLater(code="503")
    push = notification(time.time())
    deliver(push)
    deliver(push)
    assert len(provider.pushed) == 2


def test_nothing_is_sent_once_the_deadline_is_so_near_that_no_answer_would_be_in_time(deliver, provider):
    assert isinstance(deliver(notification(time.time() - 19.8)), TryLater)
    assert provider.pushed == []


def test_an_unknown_app_is_refused(deliver, settings, provider):
    settings.apps.clear()
    outcome = deliver(notification(time.time()))
    assert isinstance(outcome, Refused)
    assert (outcome.reason, provider.pushed) == ("unknown_app", [])


def test_a_disabled_app_is_refused(deliver, settings, provider):
    settings.apps[APP.app_id, ProviderName.FIREBASE] = FirebaseApp(app_id=APP.app_id, enabled=False)
    outcome = deliver(notification(time.time()))
    assert isinstance(outcome, Refused)
    assert (outcome.reason, provider.pushed) == ("app_disabled", [])


def test_without_any_settings_the_push_is_tried_later(deliver, settings):
    settings.away = True
    assert isinstance(deliver(notification(time.time())), TryLater)


def test_with_redis_away_one_warning_a_minute_tells_that_pushes_are_not_remembered(world, settings, provider, caplog):
    clock = [0.0]
    deliver = DeliverPush(
        settings=settings,
        providers={ProviderName.FIREBASE: provider},
        sent=RedisSent(world.redis),
        monotonic=lambda: clock[0],
    )
    world.redis_away()
    for clock[0] in (0.0, 1.0, 59.0, 60.0):
        deliver(notification(time.time()), again=False)
    told = [record.fields["times"] for record in caplog.records if "not remembered" in record.message]
    assert told == [1, 3]


def test_with_redis_away_a_push_is_sent(world, deliver, provider):
    world.redis_away()
    assert isinstance(deliver(notification(time.time())), Delivered)
    assert len(provider.pushed) == 1
