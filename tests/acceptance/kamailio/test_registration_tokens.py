"""A REGISTER that shows the registration token of its push is let in without a password, once and by nobody else."""

import time
import uuid

from pusher.simulators.stage import AppKind
from tests.support.until import until


def test_a_woken_phone_is_let_in_without_its_password(lab):
    phone = lab.phone(AppKind.FIREBASE, password="wrong")
    assert lab.call(phone).outcome().status == 200
    assert phone.register_statuses == [200]


def test_a_registration_token_is_good_for_one_registration(lab):
    phone = lab.phone(AppKind.FIREBASE, password="wrong", wakes=False)
    call = lab.call(phone, wake_window_s=5)
    until(lambda: phone.pushed_at)
    token = lab.push_data(phone)["registration-token"]
    assert phone.register(registration_token=token) == 200
    assert call.outcome().status == 200
    assert phone.register(registration_token=token) in (401, 403)


def test_a_registration_token_is_worth_nothing_after_the_window(lab):
    phone = lab.phone(AppKind.FIREBASE, password="wrong", wakes=False)
    ended = lab.call(phone, wake_window_s=1).outcome().final.at
    # Kamailio counts whole seconds.
    until(lambda: time.monotonic() > ended + 1.5)
    assert phone.register(registration_token=lab.push_data(phone)["registration-token"]) in (401, 403)


def test_a_registration_token_lets_no_other_phone_in(lab):
    phone = lab.phone(AppKind.FIREBASE, wakes=False)
    thief = lab.phone(AppKind.FIREBASE, password="wrong")
    lab.call(phone, wake_window_s=5)
    until(lambda: phone.pushed_at)
    token = lab.push_data(phone)["registration-token"]
    assert thief.register(registration_token=token) in (401, 403)
    assert phone.register(registration_token=token) == 200


def test_a_made_up_registration_token_lets_nobody_in(lab):
    phone = lab.phone(AppKind.APPLE_KEY, password="wrong")
    assert phone.register(registration_token=str(uuid.uuid4())) in (401, 403)
