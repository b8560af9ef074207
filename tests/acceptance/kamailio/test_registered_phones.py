"""Calls to phones that have a binding: those that answer, and those that only seem to be there."""

import time

from pusher.simulators.sip_handset import SIPHandset
from pusher.simulators.stage import AppKind
from tests.support.until import until

#: The lab has no TCP: the binding is like that of a phone whose TLS connection is gone.
UNREACHABLE = ";transport=tcp>;app-id=com.example.softphone;pn-type=firebase;pn-tok={token}"


def test_a_registered_phone_gets_the_call_without_a_push(lab):
    phone = lab.phone(AppKind.APPLE_KEY)
    assert phone.register() == 200
    outcome = lab.call(phone).outcome()
    assert outcome.status == 200
    assert outcome.final.after_s < 1
    # By then a push for the first call would have been sent.
    assert lab.call(lab.phone(AppKind.APPLE_KEY)).outcome().status == 200
    assert lab.system.stage.pushes_to(phone.token) == []
    assert phone.pushed_at == []


def test_a_registered_phone_that_is_dead_is_pushed_and_woken(lab):
    # It takes longer to wake than a registered phone may be silent.
    phone = lab.phone(AppKind.FIREBASE, wake_delay_s=2.5)
    assert phone.register() == 200
    phone.sleep()
    outcome = lab.call(phone).outcome()
    assert outcome.status == 200
    assert 1.8 < phone.pushed_at[0] - (outcome.final.at - outcome.final.after_s) < 3
    assert outcome.final.at - phone.woken_at[0] < 2
    assert len(phone.pushed_at) == 1
    assert not any(name.startswith("x-kazoo") for call in phone.calls for name in call.headers)


def test_a_registered_phone_that_cannot_be_reached_is_pushed_at_once(lab):
    before = lab.phone(AppKind.FIREBASE, wakes=False, contact_params=UNREACHABLE)
    after = lab.phone(AppKind.FIREBASE, user=before.user)
    assert before.register() == 200
    call = lab.call(before)
    until(lambda: before.pushed_at, seconds=1)
    assert after.register(registration_token=lab.push_data(before)["registration-token"]) == 200
    assert call.outcome().status == 200
    assert len(after.calls) == 1
    assert any("no corresponding socket" in line for line in lab.kamailio.complaints())


def test_a_woken_phone_that_cannot_be_reached_fails_the_call_over(lab):
    phone = lab.phone(AppKind.FIREBASE, wakes=False, contact_params=UNREACHABLE)
    call = lab.call(phone)
    until(lambda: phone.pushed_at)
    assert phone.register() == 200
    outcome = call.outcome()
    assert outcome.status == 480
    assert outcome.reason == 'SIP;cause=480;text="push not_reached"'
    assert any("no corresponding socket" in line for line in lab.kamailio.complaints())


def test_the_next_call_to_a_dead_phone_is_pushed_at_once(lab):
    phone = lab.phone(AppKind.APPLE_CERTIFICATE, wakes=False)
    assert phone.register() == 200
    phone.sleep()
    assert lab.call(phone, wake_window_s=1).outcome().status == 480
    second = lab.call(phone, wake_window_s=1).outcome()
    assert (second.status, len(phone.pushed_at)) == (480, 2)
    assert second.final.after_s < 2
    phone.wake()
    assert phone.register() == 200
    assert lab.call(phone).outcome().status == 200
    assert len(phone.pushed_at) == 2


def test_a_phone_that_was_slow_once_gets_its_next_call_without_a_push(lab):
    phone = lab.phone(AppKind.FIREBASE, wakes=False, answers=False)
    assert phone.register() == 200
    late, receive = [], phone._calls.receive
    phone._calls.receive = lambda *heard: late.append(heard)
    call = lab.call(phone, wake_window_s=1)
    until(lambda: phone.pushed_at)
    phone._calls.receive = receive
    with phone._state:
        receive(*late[0])
    assert call.outcome().status == 480
    assert phone.calls[0].ended == "cancel"
    phone._calls.answers = True
    outcome = lab.call(phone).outcome()
    assert (outcome.status, len(phone.pushed_at)) == (200, 1)
    assert outcome.final.after_s < 1


def declines(phone: SIPHandset) -> None:
    """Have `phone` refuse every call with 488."""
    phone._calls._invited = lambda invite: phone._calls._respond(invite, 488)


def test_the_refusal_of_a_phone_beside_a_stale_binding_goes_to_the_caller(lab):
    stale = lab.phone(AppKind.FIREBASE, wakes=False)
    live = lab.phone(AppKind.FIREBASE, user=stale.user)
    declines(live)
    assert stale.register() == 200
    stale.sleep()
    assert live.register() == 200
    outcome = lab.call(stale).outcome()
    assert outcome.status == 488
    assert outcome.final.after_s < 3
    assert stale.pushed_at == []


def test_the_refusal_of_a_woken_phone_beside_a_stale_binding_goes_to_the_caller_at_once(lab):
    stale = lab.phone(AppKind.FIREBASE, wakes=False)
    live = lab.phone(AppKind.FIREBASE, user=stale.user)
    declines(live)
    assert stale.register() == 200
    stale.sleep()
    call = lab.call(stale)
    until(lambda: stale.pushed_at)
    registering_at = time.monotonic()
    assert live.register() == 200
    outcome = call.outcome()
    assert outcome.status == 488
    assert outcome.final.at - registering_at < 1


def test_a_phone_that_takes_its_binding_back_is_pushed(lab):
    phone = lab.phone(AppKind.APPLE_KEY)
    assert phone.register() == 200
    assert phone.register(expires_s=0) == 200
    assert lab.call(phone).outcome().status == 200
    assert len(phone.pushed_at) == 1


def test_a_wrong_password_is_no_way_in(lab):
    phone = lab.phone(AppKind.APPLE_KEY, password="wrong")
    assert phone.register() in (401, 403)
