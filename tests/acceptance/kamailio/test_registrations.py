"""What Kamailio announces of registrations, and what Pusher learns from it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kombu import Connection, Queue

from pusher.bus.topology import REGISTRAR
from pusher.simulators.stage import AppKind
from tests.support.until import until

Announced = Callable[[], dict[str, Any]]


@pytest.fixture
def announced(lab) -> Iterator[Announced]:
    """Returns the next reg_success since the test began, its routing key under `key`."""
    with Connection(lab.system.bus_url) as connection:
        queue = Queue("", exchange=REGISTRAR, routing_key="registration.success.#", exclusive=True)
        bound = queue.bind(connection.default_channel)
        bound.declare()

        def next_one() -> dict[str, Any]:
            message = until(lambda: bound.get(no_ack=True), what="a reg_success came")
            return {"key": message.delivery_info["routing_key"], **json.loads(message.body)}

        yield next_one


def test_a_phone_that_registers_is_learned(lab):
    phone = lab.phone(AppKind.APPLE_KEY)
    assert phone.register() == 200
    until(lambda: f"device={phone.device_id}" in lab.system.log("worker"))
    database = f"account/{phone.account_id[:2]}/{phone.account_id[2:4]}/{phone.account_id[4:]}"
    push = lab.system.documents.read(database, phone.device_id)["push"]
    assert (push["Token-ID"], push["Token-Type"], push["Token-App"]) == (phone.token, "apple", phone.app_id)
    assert push["Token-Proxy"] == f"sip:127.0.0.1:{lab.kamailio.address[1]};transport=udp"


def test_a_registration_is_announced_as_kazoo_announces_it(lab, announced):
    phone = lab.phone(AppKind.APPLE_KEY)
    assert phone.register() == 200
    said = announced()
    assert said["key"] == f"registration.success.acme%2Esip%2Eexample%2Ecom.{phone.user}"
    assert (said["Event-Category"], said["Event-Name"]) == ("directory", "reg_success")
    assert (said["Status"], said["Expires"]) == ("Registered", 600)
    host, port = phone.address
    assert said["Contact"] == phone.contact(f"{host}:{port}", registration_token=None, expires_s=600)
    assert (said["Username"], said["Realm"]) == (phone.user, phone.realm)
    assert said["User-Agent"] == 'ExamplePhone/3.2 (Android 14; "Pixel 8")'
    ccv = said["Custom-Channel-Vars"]
    assert (ccv["Account-ID"], ccv["Authorizing-ID"]) == (phone.account_id, phone.device_id)
    assert (said["Source-IP"], said["Source-Port"]) == (host, str(port))


def test_a_binding_that_is_taken_back_is_announced_as_unregistered(lab, announced):
    phone = lab.phone(AppKind.APPLE_KEY)
    assert phone.register() == 200
    assert announced()["Status"] == "Registered"
    assert phone.register(expires_s=0) == 200
    said = announced()
    assert (said["Status"], said["Expires"]) == ("Unregistered", 0)


def test_a_phone_let_in_by_its_token_is_announced_without_an_account(lab, announced):
    phone = lab.phone(AppKind.FIREBASE)
    assert lab.call(phone).outcome().status == 200
    said = announced()
    assert (said["Status"], said["Custom-Channel-Vars"]) == ("Registered", {})
    assert f";x-token-reg={lab.push_data(phone)['registration-token']};" in said["Contact"]


def test_a_token_shown_in_a_header_only_is_announced_in_it(lab, announced):
    phone = lab.phone(AppKind.FIREBASE, password="wrong")
    contact = phone.contact
    phone.contact = lambda address, **shown: contact(address, **(shown | {"registration_token": None}))
    assert lab.call(phone).outcome().status == 200
    said = announced()
    assert said["X-Token-Reg"] == lab.push_data(phone)["registration-token"]
    assert "x-token-reg" not in said["Contact"]


def test_a_contact_with_odd_bytes_is_announced_all_the_same(lab, announced):
    phone = lab.phone(AppKind.APPLE_KEY, contact_params='>;app-id=$fU;note="M\udcfcller";pn-tok={token}')
    assert phone.register() == 200
    contact = announced()["Contact"]
    assert ';app-id=$fU;note="M?ller";' in contact
    assert f";pn-tok={phone.token};" in contact
    assert "value to add is not a string" in lab.kamailio.complaints()[0]
