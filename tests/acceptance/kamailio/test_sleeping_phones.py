"""Calls to phones that sleep and are not registered: what the caller sees, and when."""

import json

import pytest

from pusher.simulators.misbehaviour import Answer
from pusher.simulators.stage import AppKind
from tests.acceptance.kamailio.lab import PASSWORD
from tests.support.until import until

#: Milliseconds that the ringing of tests may take beside what they wait for: the machine may be busy.
PROMPTLY_S = 1.0


@pytest.mark.parametrize("password", [PASSWORD, "wrong"], ids=["by_password", "by_token"])
def test_a_call_to_an_address_in_other_letter_case_is_connected(lab, password):
    phone = lab.phone(AppKind.FIREBASE, password=password)
    outcome = lab.call(phone, aor=f"{phone.user}@{phone.realm}".upper(), wake_window_s=5).outcome()
    assert (outcome.status, phone.register_statuses) == (200, [200])


def test_a_phone_that_registers_in_other_letter_case_is_let_in_and_connected(lab):
    phone = lab.phone(AppKind.FIREBASE, user=f"U{len(lab.phones)}", password="wrong")
    outcome = lab.call(phone, aor=f"{phone.user}@{phone.realm}".lower(), wake_window_s=5).outcome()
    assert (outcome.status, phone.register_statuses) == (200, [200])


@pytest.mark.parametrize("kind", AppKind)
def test_a_call_wakes_a_sleeping_phone_and_connects(lab, kind):
    phone = lab.phone(kind, wake_delay_s=0.3)
    outcome = lab.call(phone).outcome()
    assert outcome.status == 200
    assert outcome.final.at - phone.woken_at[0] < 2
    assert [call.ended for call in phone.calls] == ["bye"]
    assert len(phone.pushed_at) == 1
    assert phone.register_statuses == [200]
    assert not any(name.startswith("x-kazoo") for name in phone.calls[0].headers)
    assert phone.violations == []


def test_two_callers_at_once_are_both_connected(lab):
    phone = lab.phone(AppKind.APPLE_KEY, wake_delay_s=1.0)
    calls = [lab.call(phone), lab.call(phone)]
    outcomes = [call.outcome() for call in calls]
    assert [outcome.status for outcome in outcomes] == [200, 200]
    assert all(outcome.final.at - phone.woken_at[0] < 2 for outcome in outcomes)
    assert len(phone.calls) == 2


def test_a_phone_that_does_not_wake_fails_the_call_over_when_the_window_ends(lab):
    phone = lab.phone(AppKind.FIREBASE, wakes=False)
    outcome = lab.call(phone, wake_window_s=3).outcome()
    assert outcome.status == 480
    assert outcome.reason == 'SIP;cause=480;text="push not_woken"'
    assert 2.5 < outcome.final.after_s < 3.0 + PROMPTLY_S
    assert len(phone.pushed_at) == 1


def test_a_phone_that_unregisters_does_not_get_the_call_that_waits(lab):
    phone = lab.phone(AppKind.FIREBASE, wakes=False)
    call = lab.call(phone, wake_window_s=2)
    until(lambda: phone.pushed_at)
    assert phone.register(expires_s=0) == 200
    assert call.outcome().reason == 'SIP;cause=480;text="push not_woken"'


def test_a_push_is_worth_nothing_after_the_call(lab):
    phone = lab.phone(AppKind.FIREBASE)
    assert lab.call(phone, wake_window_s=3).outcome().status == 200
    (message,) = [each for each in lab.system.stage.fcm.accepted if each.token == phone.token]
    assert message.message["android"]["ttl"] in ("2s", "3s")


def test_a_phone_that_wakes_too_late_gets_no_call_and_its_next_one(lab):
    phone = lab.phone(AppKind.APPLE_KEY, wakes=False)
    assert lab.call(phone, wake_window_s=1).outcome().status == 480
    assert phone.register() == 200
    assert lab.call(phone).outcome().status == 200
    assert len(phone.calls) == 1
    assert phone.missed == []


def test_a_dead_token_fails_the_call_over_at_once(lab):
    phone = lab.phone(AppKind.FIREBASE)
    outcome = lab.call(phone, token_id="dead:APA91b" + "x" * 30).outcome()
    assert outcome.status == 480
    assert outcome.reason == 'SIP;cause=480;text="push dead_token"'
    assert outcome.final.after_s < PROMPTLY_S


def test_a_token_that_apple_refuses_fails_the_call_over_at_once(lab):
    phone = lab.phone(AppKind.APPLE_KEY)
    lab.system.stage.apns.next(Answer(status=400, reason="BadDeviceToken"))
    outcome = lab.call(phone).outcome()
    assert outcome.status == 480
    assert outcome.reason == 'SIP;cause=480;text="push token_mismatch"'
    assert outcome.final.after_s < PROMPTLY_S


def test_an_unknown_app_fails_the_call_over_at_once(lab):
    phone = lab.phone(AppKind.APPLE_KEY)
    outcome = lab.call(phone, token_app="org.example.nobody").outcome()
    assert outcome.status == 480
    assert outcome.reason == 'SIP;cause=480;text="push unknown_app"'
    assert outcome.final.after_s < PROMPTLY_S


def test_one_caller_is_refused_while_the_other_of_the_same_phone_waits_on(lab):
    phone = lab.phone(AppKind.APPLE_KEY, wake_delay_s=2.0)
    waiting = lab.call(phone)
    refused = lab.call(phone, token_app="org.example.nobody").outcome()
    assert (refused.status, waiting.outcome().status) == (480, 200)
    assert refused.final.after_s < PROMPTLY_S


#: Display names as they stand in a From header, and what they mean (RFC 3261 25.1).
NAMES = {
    '"Bob \\"B\\" O\'Neil"': 'Bob "B" O\'Neil',
    '"back\\\\slash"': "back\\slash",
    '"$fU $(hdr(X-KAZOO-PUSHER-Token-ID)) $$ $"': "$fU $(hdr(X-KAZOO-PUSHER-Token-ID)) $$ $",
    '"100 %s %d %41"': "100 %s %d %41",
    '"Zoë Müller 漢字 🎉"': "Zoë Müller 漢字 🎉",
    '"tab\there {} [] , ; <x> \\u0041"': "tab\there {} [] , ; <x> u0041",
    '"bell \x01\x7f"': "bell \x01\x7f",
    "Bob Miller": "Bob Miller",
    "": "",
}


def test_the_callers_name_arrives_at_the_phone_as_it_was_sent(lab):
    phones = [lab.phone(AppKind.FIREBASE) for _ in NAMES]
    calls = [lab.call(phone, caller=header) for phone, header in zip(phones, NAMES, strict=True)]
    assert [call.outcome().status for call in calls] == [200] * len(NAMES)
    assert [lab.push_data(phone)["caller-id-name"] for phone in phones] == list(NAMES.values())
    assert {lab.push_data(phone)["caller-id-number"] for phone in phones} == {"+15551230000"}


def test_a_caller_without_a_number_is_shown_by_name_alone(lab):
    phone = lab.phone(AppKind.FIREBASE)
    call = lab.call(phone, caller='"Anonymous"', caller_uri="sip:anonymous.invalid")
    assert call.outcome().status == 200
    data = lab.push_data(phone)
    assert (data["caller-id-name"], data["caller-id-number"]) == ("Anonymous", "")
    assert json.loads(data["alert"])["loc-args"] == ["Anonymous"]


def test_a_token_too_long_for_a_routing_key_wakes_its_phone(lab):
    phone = lab.phone(AppKind.FIREBASE, token="t" * 400)
    assert lab.call(phone).outcome().status == 200


def test_a_name_that_is_not_utf_8_costs_only_its_odd_letters(lab):
    phone = lab.phone(AppKind.FIREBASE)
    assert lab.call(phone, caller='"Zo\udceb $ \\" M\udcfcller"').outcome().status == 200
    assert lab.push_data(phone)["caller-id-name"] == 'Zo? $ " M?ller'
    assert "value to add is not a string" in lab.kamailio.complaints()[0]
