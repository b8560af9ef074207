"""What a registration teaches."""

import itertools

import pytest

from pusher.errors import MessageInvalid
from pusher.messages import envelope
from pusher.messages.registration import Registration
from pusher.registration import contact, push_object
from pusher.registration.push_object import PushObject
from pusher.registration.user_agents import UserAgentRule
from tests.unit.messages import samples

RULE = UserAgentRule.of("Linphone", "x", {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"})
ENTRIES = (("Token-App", "a"), ("Token-ID", "s3cr3t"), ("Token-Type", "apple"))


def read(header: str, fields: dict[str, str] | None = None, rule: UserAgentRule = RULE) -> dict[str, str] | None:
    learned = push_object.read(rule, contact.parse(header), fields or {})
    return None if learned is None else learned.to_json()


def registration(**fields: object) -> Registration:
    return Registration.from_message({"Contact": "<sip:a@b>"} | fields)


def test_the_registration_of_a_real_phone_teaches_its_whole_push_object():
    """Verbatim from Kamailio."""
    real = Registration.from_message(envelope.decode(samples.REG_SUCCESS))
    learned = push_object.read(RULE, contact.parse(real.contact), real.fields)
    assert learned.to_json() == {
        "Token-App": "com.example.softphone",
        "Token-Type": "firebase",
        "Token-ID": "fX9_q:APA91bH-Example_Token~0123456789",
        "Token-Proxy": "sip:127.0.0.1:15060;transport=udp",
    }
    assert (learned.token, learned.app_id, learned.token_type) == (
        "fX9_q:APA91bH-Example_Token~0123456789",
        "com.example.softphone",
        "firebase",
    )


def test_parameters_win_over_the_messages_own_fields():
    fields = {"app-id": "message", "pn-type": "apple", "Proxy-Path": "sip:p"}
    assert read("<sip:a@b;app-id=contact;pn-tok=t>", fields) == {
        "Token-App": "contact",
        "Token-Type": "apple",
        "Token-ID": "t",
        "Token-Proxy": "sip:p",
    }


def test_a_property_found_nowhere_is_left_out():
    assert read("<sip:a@b;pn-tok=t;app-id>") == {"Token-ID": "t"}


@pytest.mark.parametrize("header", ["<sip:a@b;app-id=a>", "<sip:a@b;pn-tok>", "<sip:a@b;pn-tok=>", "*"])
def test_without_a_token_in_the_contact_nothing_is_learned(header):
    assert read(header, {"pn-tok": "message"}) is None


def test_of_several_contacts_the_first_one_with_a_token_counts():
    assert read("<sip:a@b;app-id=1>, <sip:c@d;pn-tok=t>, <sip:e@f;pn-tok=u;app-id=3>") == {"Token-ID": "t"}


def test_a_rule_may_map_the_proxy_itself():
    rule = UserAgentRule.of("x", "x", {"Token-ID": "pn-tok", "Token-Proxy": "Proxy-URI"})
    fields = {"Proxy-Path": "sip:path", "Proxy-URI": "sip:uri"}
    assert read("<sip:a@b;pn-tok=t>", fields, rule) == {"Token-ID": "t", "Token-Proxy": "sip:uri"}


@pytest.mark.parametrize(
    ("params", "key"),
    [
        (f"pn-tok={'x' * 4097}", "Token-ID"),
        ("pn-tok=t%0d%0aX-Evil:%201", "Token-ID"),
        ("pn-tok=t;app-id=a%00", "Token-App"),
    ],
)
def test_a_value_that_would_do_harm_as_a_sip_header_is_refused_unquoted(params, key):
    with pytest.raises(MessageInvalid) as caught:
        read(f"<sip:a@b;{params}>")
    assert caught.value.field == key
    assert "Evil" not in str(caught.value)


def test_the_longest_token_is_taken():
    assert read(f"<sip:a@b;pn-tok={'x' * 4096}>") == {"Token-ID": "x" * 4096}


def test_the_digest_knows_no_order_and_never_changes():
    digests = {PushObject(entries).digest for entries in itertools.permutations(ENTRIES)}
    assert digests == {"11f07dd84c2cf6b78654ffab26e9753d"}


@pytest.mark.parametrize("other", [ENTRIES[:2], (*ENTRIES[:2], ("Token-Type", "apple2"))])
def test_another_object_has_another_digest(other):
    assert PushObject(other).digest != PushObject(ENTRIES).digest


def test_an_empty_object_has_no_token():
    empty = PushObject(())
    assert (empty.token, empty.app_id, empty.token_type) == (None, None, None)


def test_the_repr_names_the_app_and_a_fingerprint():
    shown = repr(PushObject(ENTRIES))
    assert "s3cr3t" not in shown
    assert shown == "PushObject(app_id='a', token_type='apple', token=#4e738ca556)"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"Contact": "<sip:a@b>;X-Token-Reg=c"}, "c"),
        ({"Contact": "<sip:a@b;x-token-reg=c>", "X-Token-Reg": "m"}, "c"),
        ({"Contact": "<sip:a@b>, <sip:c@d>;x-token-reg=c"}, "c"),
        ({"Contact": "<sip:a@b;x-token-reg>", "X-Token-Reg": "m"}, "m"),
        ({"X-Token-Reg": "m"}, "m"),
        ({}, None),
    ],
)
def test_the_token_that_let_the_register_in_comes_from_the_contact_or_the_message(fields, found):
    arrived = registration(**fields)
    assert push_object.registration_token(contact.parse(arrived.contact), arrived) == found
    assert push_object.may_hold_registration_token(arrived) or found is None


def test_a_desk_phone_is_known_to_hold_no_registration_token_without_parsing():
    assert not push_object.may_hold_registration_token(registration(Contact="<sip:a@b> garbage"))
