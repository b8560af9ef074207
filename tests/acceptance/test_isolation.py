"""One app, or one provider, that hangs or refuses everything: the others' calls do not notice, and no token is lost."""

import time

import pytest

from pusher.errors import DocumentMissing
from pusher.push.breaker import PHONES, Trouble
from pusher.registration.device import Device
from pusher.simulators.misbehaviour import Answer, Silent
from pusher.simulators.stage import AppKind
from tests.support.until import until

#: Seconds in which a call is answered while something else hangs. Behind threads that hang it would take five.
AT_ONCE_S = 2.0
#: More than a worker has threads.
MANY = 110


@pytest.fixture(scope="module", autouse=True)
def _warm(system):
    """Have connections and provider tokens in place."""
    for kind in AppKind:
        assert system.call(system.stage.handset(kind)).answer(10.0)


def unanswered(system, kind, behaviour, count):
    """Have `count` phones of an app called whose pushes all meet `behaviour`."""
    provider = system.stage.fcm if kind is AppKind.FIREBASE else system.stage.apns
    handsets = [system.stage.handset(kind) for _ in range(count)]
    for handset in handsets:
        provider.always(behaviour, token=handset.token)
    return handsets, [system.call(handset, Expires=9) for handset in handsets]


def slowest_s(system, kind, seconds):
    """Have ten phones a second called for so long; return how long the slowest of them took to answer."""
    calls, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        calls.append(system.call(system.stage.handset(kind)))
        time.sleep(0.1)
    assert [(call.answer(15.0) or {}).get("Push-Status") for call in calls] == ["registered"] * len(calls)
    return max(call.answers[0][0] - call.requested_at for call in calls)


@pytest.mark.parametrize(
    ("hanging", "other"),
    [
        pytest.param(AppKind.APPLE_KEY, AppKind.APPLE_CERTIFICATE, id="an app of the same provider"),
        pytest.param(AppKind.FIREBASE, AppKind.APPLE_KEY, id="the other provider"),
    ],
)
def test_while_an_app_s_pushes_hang_others_are_woken_as_fast_as_ever(system, hanging, other):
    opened = system.log("worker").count("breaker opened")
    _, calls = unanswered(system, hanging, Silent(), MANY)
    assert slowest_s(system, other, 6.0) < AT_ONCE_S
    until(lambda: system.log("worker").count("breaker opened") > opened, seconds=15)
    line = system.log("worker").split("breaker opened")[-1].splitlines()[0]
    assert f"app={hanging}" in line
    assert "trouble=unavailable" in line
    assert all(call.answer(25.0)["Push-Status"] == "failed" for call in calls)
    recover(system, hanging)


def recover(system, kind):
    """Have the provider behave, and wait until the app's calls are woken again."""
    for provider in (system.stage.apns, system.stage.fcm):
        provider.clear()
    until(lambda: system.call(system.stage.handset(kind)).answer(8.0)["Push-Status"] == "registered", seconds=30)


MISTAKES = [
    (AppKind.APPLE_KEY, Answer(status=400, reason="BadDeviceToken"), "token_mismatch", Trouble.REFUSALS),
    (AppKind.APPLE_KEY, Answer(status=400, reason="DeviceTokenNotForTopic"), "token_mismatch", Trouble.REFUSALS),
    (AppKind.APPLE_KEY, Answer(status=400, reason="TopicDisallowed"), "refused", Trouble.REFUSALS),
    (AppKind.APPLE_KEY, Answer(status=404, body=b""), "refused", Trouble.REFUSALS),
    (AppKind.FIREBASE, Answer(status=403, reason="SENDER_ID_MISMATCH"), "token_mismatch", Trouble.REFUSALS),
    (AppKind.FIREBASE, Answer(status=404, body=b"<html>"), "refused", Trouble.REFUSALS),
    (AppKind.APPLE_KEY, Answer(status=403, reason="InvalidProviderToken"), "credential_refused", Trouble.CREDENTIAL),
]


@pytest.mark.parametrize(
    ("kind", "answer", "reason", "trouble"), MISTAKES, ids=[f"{row[1].status} {row[1].reason}" for row in MISTAKES]
)
def test_a_mistake_in_the_settings_costs_no_device_its_token_and_the_breaker_says_so(
    system, kind, answer, reason, trouble
):
    provider = system.stage.fcm if kind is AppKind.FIREBASE else system.stage.apns
    handsets = [system.stage.handset(kind) for _ in range(PHONES[trouble] + 5)]
    for handset in handsets:
        handset.register()
    until(lambda: all(token_of(system, handset) == handset.token for handset in handsets), seconds=20)
    for handset in handsets:
        provider.always(answer, token=handset.token)
    opened, closed = count(system, "breaker opened", kind), count(system, "breaker closed", kind)
    assert outcomes(call_over_a_second(system, handsets)) == {("failed", reason)}
    until(lambda: count(system, "breaker opened", kind) > opened)
    assert f"trouble={trouble}" in system.log("worker").split("breaker opened")[-1].splitlines()[0]
    asked = len(provider.requests)
    assert outcomes([system.call(handset) for handset in handsets]) == {("failed", reason)}
    assert len(provider.requests) - asked <= 2, "only a probe is sent"
    recover(system, kind)
    assert count(system, "breaker closed", kind) > closed
    assert [token_of(system, handset) for handset in handsets] == [handset.token for handset in handsets]


def test_only_the_dead_tokens_are_forgotten(system):
    handsets = [system.stage.handset(kind) for kind in (AppKind.APPLE_KEY, AppKind.FIREBASE) for _ in range(8)]
    for handset in handsets:
        handset.register()
    until(lambda: all(token_of(system, handset) == handset.token for handset in handsets), seconds=20)
    dead = handsets[::4]
    for handset in dead:
        provider = system.stage.fcm if handset.app_id == AppKind.FIREBASE else system.stage.apns
        provider.kill_token(handset.token)
    calls = [system.call(handset) for handset in handsets]
    answers = [call.answer(5.0).get("Push-Reason", "woken") for call in calls]
    assert answers == ["dead_token" if handset in dead else "woken" for handset in handsets]
    until(lambda: all(token_of(system, handset) is None for handset in dead))
    assert all(token_of(system, handset) == handset.token for handset in handsets if handset not in dead)


def count(system, event, kind):
    """Return how often the worker told `event` of an app."""
    return system.log("worker").count(f"{event} app={kind} ")


def outcomes(calls):
    """Return how the calls were answered."""
    answers = [call.answer(8.0) for call in calls]
    return {(answer["Push-Status"], answer.get("Push-Reason")) for answer in answers}


def call_over_a_second(system, handsets):
    """Call the phones one after the other: only what lasts opens a breaker."""
    calls = []
    for handset in handsets:
        calls.append(system.call(handset))
        time.sleep(1.5 / len(handsets))
    return calls


def token_of(system, handset):
    """Return the token in the document of the handset's device, None where there is none."""
    device = Device(account_id=handset.account_id, device_id=handset.device_id)
    try:
        document = system.documents.read(device.database, device.device_id)
    except DocumentMissing:
        return None
    return document.get("push", {}).get("Token-ID")
