"""Callers who hang up: at once, and with no ghost of the call afterwards."""

from pusher.simulators.stage import AppKind
from tests.acceptance.kamailio.scenario import HANGS_UP, HANGS_UP_ON_RINGING
from tests.support.until import until


def test_a_caller_who_hangs_up_while_the_phone_sleeps_leaves_no_ghost_call(lab):
    phone = lab.phone(AppKind.APPLE_KEY, wakes=False)
    hung_up = lab.call(phone, scenario=HANGS_UP, pause_s=1.0).outcome()
    assert hung_up.status == 487
    assert hung_up.final.after_s < 2
    assert len(phone.pushed_at) == 1
    assert phone.register() == 200
    assert lab.call(phone).outcome().status == 200
    assert len(phone.calls) == 1
    assert len(phone.pushed_at) == 1


def test_one_caller_hangs_up_and_the_other_is_connected(lab):
    phone = lab.phone(AppKind.FIREBASE, wake_delay_s=2.0)
    hung_up = lab.call(phone, scenario=HANGS_UP, pause_s=0.5)
    waiting = lab.call(phone)
    assert hung_up.outcome().status == 487
    connected = waiting.outcome()
    assert connected.status == 200
    assert connected.final.at - phone.woken_at[0] < 2
    assert len(phone.calls) == 1


def test_a_caller_who_hangs_up_on_a_dead_phone_gets_his_answer(lab):
    phone = lab.phone(AppKind.APPLE_KEY, wakes=False)
    assert phone.register() == 200
    phone.sleep()
    assert lab.call(phone, scenario=HANGS_UP, pause_s=3.0).outcome().status == 487
    until(lambda: len(phone.pushed_at) == 1)
    phone.wake()
    assert phone.register() == 200
    assert lab.call(phone).outcome().status == 200
    assert len(phone.calls) == 1


def test_a_phone_may_ring_for_long_without_a_push_until_its_caller_hangs_up(lab):
    phone = lab.phone(AppKind.APPLE_KEY, answers=False)
    assert phone.register() == 200
    assert lab.call(phone, scenario=HANGS_UP_ON_RINGING, pause_s=2.5).outcome().status == 487
    until(lambda: phone.calls[0].ended == "cancel")
    assert phone.pushed_at == []
