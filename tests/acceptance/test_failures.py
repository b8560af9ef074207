"""Pushes that cannot be: answered within a second, with a reason, so that the call fails over."""

import json

import pytest

from pusher.simulators.misbehaviour import Answer
from pusher.simulators.stage import AppKind
from tests.support.until import until


def failed_within_a_second(call, reason):
    answer = call.answer(1.0)
    assert answer is not None, "not answered within a second"
    assert (answer["Push-Status"], answer["Push-Reason"]) == ("failed", reason)
    assert answer["Error-Message"].endswith((".", ")"))
    assert len(call.answers) == 1


@pytest.fixture(scope="module", autouse=True)
def _warm(system):
    """Have connections and provider tokens in place: the first push of a process makes them."""
    for kind in AppKind:
        assert system.call(system.stage.handset(kind)).answer(5.0)


def test_an_unknown_app(system):
    handset = system.stage.handset(AppKind.FIREBASE)
    failed_within_a_second(system.call(handset, **{"Token-App": "org.unknown"}), "unknown_app")


def test_an_unknown_token_type(system):
    handset = system.stage.handset(AppKind.FIREBASE)
    failed_within_a_second(system.call(handset, **{"Token-Type": "pigeon"}), "unknown_token_type")


def test_a_disabled_app_until_it_is_enabled_again(system):
    handset = system.stage.handset(AppKind.FIREBASE)
    system.run("pusher", "maintenance", "disable-app", AppKind.FIREBASE)
    until(lambda: system.call(handset).answer(1.0)["Push-Status"] == "failed")
    failed_within_a_second(system.call(handset), "app_disabled")
    system.run("pusher", "maintenance", "enable-app", AppKind.FIREBASE)
    until(lambda: system.call(handset).answer(5.0)["Push-Status"] == "registered")


@pytest.mark.parametrize("kind", AppKind)
@pytest.mark.parametrize("token", ["../../etc/passwd", "a b", "x%0d%0ainjected: 1", "ÄÖÜ", "z" * 5000])
def test_a_malformed_token_never_reaches_the_provider(system, kind, token):
    handset = system.stage.handset(kind)
    provider = system.stage.fcm if kind is AppKind.FIREBASE else system.stage.apns
    before = len(provider.requests)
    call = system.call(handset, **{"Token-ID": token})
    if len(token) > 4096:
        # Too long to be any token: kept in pusher.dead, and not worth an answer nobody can match.
        until(lambda: "Token-ID: is longer than" in system.run("pusher", "dead", "list").stdout)
    else:
        failed_within_a_second(call, "malformed_token")
    assert len(provider.requests) == before


@pytest.mark.parametrize("kind", [AppKind.APPLE_KEY, AppKind.FIREBASE])
def test_a_dead_token(system, kind):
    handset = system.stage.handset(kind)
    provider = system.stage.fcm if kind is AppKind.FIREBASE else system.stage.apns
    provider.kill_token(handset.token)
    failed_within_a_second(system.call(handset), "dead_token")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(status=400, reason="BadDeviceToken"), "token_mismatch"),
        (Answer(status=400, reason="BadTopic"), "refused"),
        (Answer(status=403, reason="InvalidProviderToken"), "credential_refused"),
        (Answer(status=413, reason="PayloadTooLarge"), "payload_too_large"),
        (Answer(status=418, body=b"<html>"), "refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.reason,
)
def test_a_push_that_apns_refuses(system, answer, reason):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    system.stage.apns.next(answer, token=handset.token)
    failed_within_a_second(system.call(handset), reason)


def test_an_app_with_only_a_legacy_key(system):
    def add(document):
        document["org.legacy"] = {"firebase": {"api_key": "AIzaSyLegacyLegacyLegacyLegacyLegacy000"}}

    document = system.documents.read("system_config", "pusher")
    add(document)
    system.documents.save("system_config", document)
    # Any change through our commands announces the document; this one was written behind their back.
    system.run("pusher", "maintenance", "enable-app", AppKind.FIREBASE)
    handset = system.stage.handset(AppKind.FIREBASE)
    until(lambda: system.call(handset, **{"Token-App": "org.legacy"}).answer(1.0)["Push-Reason"] == "legacy_key")
    answer = system.call(handset, **{"Token-App": "org.legacy"}).answer(1.0)
    assert "service account" in json.dumps(answer)
