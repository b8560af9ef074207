"""push_req."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.messages import envelope
from pusher.messages.push_request import PushRequest
from tests.unit.messages import samples
from tests.unit.messages.test_envelope import JSON

REQUIRED = {"Token-ID": "t", "Token-Type": "apple", "Token-App": "a"}
OPTIONAL = [
    *("Msg-ID", "Server-ID", "Call-ID", "Alert", "Alert-Body", "Alert-Key", "Alert-Params", "Sound", "Badge"),
    *("Payload", "Expires", "Account-ID", "Endpoint-ID", "Token-Reg"),
]


def request(**fields: object) -> PushRequest:
    return PushRequest.from_message(REQUIRED | {key.replace("_", "-"): value for key, value in fields.items()})


def test_the_request_of_todays_role():
    """Verbatim from kazoo_publish."""
    assert PushRequest.from_message(envelope.decode(samples.PUSH_REQ)) == PushRequest(
        token="fX9_q:APA91bH-Example_Token~0123456789",
        token_type="firebase",
        app_id="com.example.softphone",
        msg_id="825f9342-439b-40e0-a5fa-cb039ed1f01f",
        server_id="kamailio@kamailio.lab.example.com-<1>-targeted-0",
        call_id="1-10722@127.0.0.1",
        alert_key="IC_SIL",
        alert_params=("+15551230000 - Bob Müller",),
        sound="ring.caf",
        payload={
            "call-id": "1-10722@127.0.0.1",
            "proxy": "sip:127.0.0.1:15060",
            "caller-id-number": "+15551230000",
            "caller-id-name": "Bob Müller",
            "registration-token": "58ecec69-d833-402f-b41e-290492e75b4c",
        },
        registration_token="58ecec69-d833-402f-b41e-290492e75b4c",
    )


def test_the_request_of_an_older_role():
    """Verbatim from kazoo_query."""
    older = PushRequest.from_message(envelope.decode(samples.PUSH_REQ_OLDER_ROLE))
    assert older.alert_body == '+15551230000 - "Bob Müller"'
    assert (older.alert_key, older.alert_params, older.payload, older.registration_token) == (
        None,
        (),
        {},
        None,
    )


def test_a_bare_request_has_no_more_than_the_required_fields():
    assert request() == PushRequest(token="t", token_type="apple", app_id="a")


@pytest.mark.parametrize("key", sorted(REQUIRED))
def test_each_required_field_is_missed_by_name(key):
    with pytest.raises(MessageInvalid, match=f"^{key}: is missing$"):
        PushRequest.from_message({name: value for name, value in REQUIRED.items() if name != key})


def test_an_alert_text_is_the_body_unless_alert_body_says_otherwise():
    assert request(Alert="hello").alert_body == "hello"
    assert request(Alert="hello", Alert_Body="call").alert_body == "call"


def test_an_alert_object_speaks_apns():
    asked = request(Alert={"body": "b", "loc-key": "K", "loc-args": ["x"], "title": "t"})
    assert (asked.alert_body, asked.alert_key, asked.alert_params) == ("b", "K", ("x",))


def test_the_older_senders_texts_are_taken():
    asked = request(Alert_Params="x", Payload='{"call-id": "c"}', Badge="3", Expires="15")
    assert (asked.alert_params, asked.payload, asked.badge, asked.expires_s) == (
        ("x",),
        {"call-id": "c"},
        3,
        15.0,
    )


def test_a_payload_that_is_plain_text_reaches_the_app_under_its_own_key():
    assert request(Payload="hello").payload == {"Payload": "hello"}


def test_token_reg_wins_over_the_payloads():
    payload = {"registration-token": "p"}
    assert request(Payload=payload).registration_token == "p"
    assert request(Payload=payload, Token_Reg="r").registration_token == "r"


@pytest.mark.parametrize("expires", [0, -5, "0"])
def test_a_request_that_came_too_late_is_still_a_request(expires):
    assert request(Expires=expires).expires_s == float(expires)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Expires", float("nan")),
        ("Expires", 1e12),
        ("Expires", "soon"),
        ("Badge", True),
        ("Badge", 2**31),
        ("Token-ID", "x" * 4097),
        ("Token-ID", {}),
        ("Token-Reg", "x" * 4097),
        ("Server-ID", "ü" * 128),
        ("Payload", [1]),
        ("Alert-Params", [[]]),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(key, value):
    with pytest.raises(MessageInvalid) as caught:
        PushRequest.from_message(REQUIRED | {key: value})
    assert caught.value.field == key


def test_a_server_id_as_long_as_a_routing_key_may_be_is_taken():
    assert request(Server_ID="ü" * 127 + "x").server_id == "ü" * 127 + "x"


def test_no_token_stands_in_the_repr():
    shown = repr(PushRequest.from_message(envelope.decode(samples.PUSH_REQ)))
    assert "APA91" not in shown
    assert "58ecec69" not in shown
    assert "1-10722@127.0.0.1" in shown


TEXT = st.text(min_size=1, max_size=20)
REQUESTS = st.builds(
    PushRequest,
    token=TEXT,
    token_type=TEXT,
    app_id=TEXT,
    msg_id=st.none() | TEXT,
    server_id=st.none() | TEXT,
    call_id=st.none() | TEXT,
    alert_body=st.none() | TEXT,
    alert_key=st.none() | TEXT,
    sound=st.none() | TEXT,
    alert_params=st.lists(TEXT, max_size=3).map(tuple),
    badge=st.none() | st.integers(0, 99),
    payload=st.dictionaries(TEXT, st.text() | st.integers(-99, 99) | st.lists(TEXT, max_size=2), max_size=3),
    expires_s=st.none() | st.floats(-60, 3600),
    account_id=st.none() | TEXT,
    device_id=st.none() | TEXT,
    registration_token=TEXT,
)


@given(REQUESTS)
@settings(max_examples=200, deadline=None)
def test_a_request_survives_its_way_through_json(value):
    written = json.dumps(value.to_message(), ensure_ascii=False).encode()
    assert PushRequest.from_message(envelope.decode(written)) == value


@given(
    st.fixed_dictionaries(
        dict.fromkeys(REQUIRED, st.just("t") | JSON), optional=dict.fromkeys(OPTIONAL, st.text() | JSON)
    )
)
@settings(max_examples=100, deadline=None)
def test_any_fields_are_a_request_that_can_be_written_again_or_message_invalid(message):
    try:
        value = PushRequest.from_message(message)
    except MessageInvalid:
        return
    assert PushRequest.from_message(value.to_message()) == value
