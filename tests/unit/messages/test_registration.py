"""reg_success."""

from contextlib import nullcontext, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.messages import envelope
from pusher.messages.registration import Registration, registration_routing_key
from tests.unit.messages import samples
from tests.unit.messages.test_envelope import JSON

CONTACT = {"Contact": "<sip:a@b>"}
KEYS = ["Status", "Expires", "Contact", "User-Agent", "Custom-Channel-Vars", "Account-ID", "Call-ID"]


def test_the_registration_of_a_real_phone():
    """Verbatim from Kamailio."""
    fields = envelope.decode(samples.REG_SUCCESS)
    registration = Registration.from_message(fields)
    assert registration.active
    assert registration.user_agent == 'ExamplePhone/3.2 (Android 14; "Pixel 8")'
    assert registration.contact == fields["Contact"]
    assert registration.account_id == "0011223344556677889900aabbccddee"
    assert registration.device_id == "aabbccddeeff00112233445566778899"
    assert registration.call_id == "e0d3916ab2684c3c9122b3296bc94844@phone"
    assert registration.registration_token is None
    assert registration.fields["Proxy-Path"] == "sip:127.0.0.1:15060;transport=udp"
    assert "Custom-Channel-Vars" not in registration.fields
    assert "APA91" not in repr(registration)


@pytest.mark.parametrize(
    ("fields", "active"),
    [
        ({"Status": "Registered"}, True),
        ({"Status": "Success", "Expires": "600"}, True),
        ({"Status": "Registered", "Expires": 1}, True),
        ({"Status": "Registered", "Expires": "soon"}, True),
        ({}, True),
        ({"Status": "Unregistered", "Expires": 600}, False),
        ({"Status": "Registered", "Expires": 0}, False),
        ({"Status": "Registered", "Expires": "0"}, False),
        ({"Status": "Registered", "Expires": 0.0}, False),
    ],
)
def test_unregistered_or_expires_0_is_no_registration(fields, active):
    assert Registration.from_message(CONTACT | fields).active is active


def test_account_and_device_of_older_senders_stand_at_the_top():
    registration = Registration.from_message(
        CONTACT | {"Account-ID": "acc", "Authorizing-ID": "dev", "Custom-Channel-Vars": {"Account-ID": "inner"}}
    )
    assert (registration.account_id, registration.device_id) == ("inner", "dev")


@pytest.mark.parametrize("key", ["X-Token-Reg", "x-token-reg", "Token-Reg"])
def test_a_phone_let_in_by_its_token_has_no_account_but_its_token(key):
    registration = Registration.from_message(CONTACT | {"Custom-Channel-Vars": {}, key: "r1"})
    assert (registration.account_id, registration.device_id) == (None, None)
    assert registration.registration_token == "r1"
    assert "r1" not in repr(registration)


@pytest.mark.parametrize("contact", [{}, {"Contact": ""}, {"Contact": 5}])
def test_a_binding_without_contact_is_refused(contact):
    with pytest.raises(MessageInvalid, match="Contact: is missing"):
        Registration.from_message(contact)


def test_a_removed_binding_needs_no_contact():
    assert Registration.from_message({"Status": "Unregistered"}).contact == ""


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)))
@settings(max_examples=100, deadline=None)
def test_only_a_missing_contact_loses_a_registration(message):
    """Whatever the types of the other fields, a waiting call is answered."""
    contact = message.get("Contact")
    with nullcontext() if isinstance(contact, str) and contact else suppress(MessageInvalid):
        registration = Registration.from_message(message)
        assert all(isinstance(value, str) for value in registration.fields.values())


def test_the_routing_key_encodes_realm_and_user():
    assert registration_routing_key("acme.sip.example.com", "2001") == (
        "registration.success.acme%2Esip%2Eexample%2Ecom.2001"
    )
