"""Calls to sleeping phones, through the real processes, RabbitMQ, Redis, TLS and HTTP/2."""

import pytest

from pusher.simulators.stage import AppKind
from tests.support.until import until

#: Seconds in which everything that happens at once has happened.
PROMPTLY_S = 5.0


@pytest.mark.parametrize("kind", AppKind)
def test_a_call_wakes_a_phone_and_is_answered_exactly_once(system, kind):
    handset = system.stage.handset(kind)
    call = system.call(handset)
    answer = call.answer(PROMPTLY_S)
    assert (answer["Push-Status"], answer["Token-ID"]) == ("registered", handset.token)
    assert (answer["Event-Category"], answer["Event-Name"]) == ("notification", "push_resp")
    handset.register()
    until(lambda: handset.device_id in system.log("worker"))
    assert len(call.answers) == 1
    assert len(handset.pushed_at) == 1


def test_the_push_carries_what_the_phone_needs_to_take_the_call(system):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    call = system.call(handset)
    assert call.answer(PROMPTLY_S)
    (push,) = [push for push in system.stage.apns.accepted if push.token == handset.token]
    assert (push.topic, push.push_type, push.priority) == (AppKind.APPLE_KEY.topic, "voip", "10")
    assert push.payload["registration-token"] == call.registration_token
    assert push.payload["aps"]["alert"] == {"loc-key": "IC_SIL", "loc-args": ["Bob"]}
    assert 15 < push.expiration - push.at <= 20


def test_three_calls_waiting_for_one_phone_are_answered_by_one_registration(system):
    handset = system.stage.handset(AppKind.FIREBASE, wakes=False)
    calls = [system.call(handset) for _ in range(3)]
    until(lambda: len(handset.pushed_at) == 3)
    assert sum(handset.app_id in line for line in system.run("pusher", "waits", "list").stdout.splitlines()) == 3
    handset.register()
    assert all(call.answer(PROMPTLY_S)["Push-Status"] == "registered" for call in calls)
    handset.register()
    answered_afterwards(system)
    assert [len(call.answers) for call in calls] == [1, 1, 1]


def test_a_registration_without_account_answers_by_its_registration_token(system):
    handset = system.stage.handset(AppKind.FIREBASE, wakes=False)
    call = system.call(handset)
    until(lambda: handset.pushed_at)
    handset.register(
        **{
            "Custom-Channel-Vars": {},
            "User-Agent": "Nobody knows/1",
            "Contact": f"<sip:a@b>;x-token-reg={call.registration_token}",
        }
    )
    assert call.answer(PROMPTLY_S)["Push-Status"] == "registered"


@pytest.mark.parametrize("ended", [{"Status": "Unregistered"}, {"Expires": 0}])
def test_an_ended_binding_answers_nobody(system, ended):
    handset = system.stage.handset(AppKind.APPLE_KEY, wakes=False)
    call = system.call(handset)
    until(lambda: handset.pushed_at)
    handset.register(**ended)
    answered_afterwards(system)
    assert call.answers == []
    handset.register()
    assert call.answer(PROMPTLY_S)


def test_a_phone_that_registers_is_learned_once_and_its_document_announced(system):
    handset = system.stage.handset(AppKind.FIREBASE)
    database = f"account/{handset.account_id[:2]}/{handset.account_id[2:4]}/{handset.account_id[4:]}"
    handset.register()
    until(lambda: f"device={handset.device_id}" in system.log("worker"))
    document = system.documents.read(database, handset.device_id)
    assert document["push"] == {
        "Token-App": AppKind.FIREBASE,
        "Token-Type": "firebase",
        "Token-ID": handset.token,
        "Token-Proxy": "sip:127.0.0.1:5060;transport=udp",
    }
    handset.register()
    answered_afterwards(system)
    assert system.documents.read(database, handset.device_id)["_rev"] == document["_rev"]
    assert system.log("listener").count(handset.device_id) == 1


def test_a_dead_token_is_cleared_from_its_device(system):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    database = f"account/{handset.account_id[:2]}/{handset.account_id[2:4]}/{handset.account_id[4:]}"
    handset.register()
    until(lambda: f"device={handset.device_id}" in system.log("worker"))
    system.stage.apns.kill_token(handset.token)
    assert system.call(handset).answer(1.0)["Push-Reason"] == "dead_token"
    until(lambda: "push" not in system.documents.read(database, handset.device_id))


def answered_afterwards(system):
    """Return when everything on the bus before now has been worked off: a later call came through."""
    assert system.call(system.stage.handset(AppKind.FIREBASE)).answer(PROMPTLY_S)
