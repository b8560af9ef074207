"""Whatever a caller wrote, a provider gets a sound request within its limit, or the push is refused with a reason."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import NotProcessed
from pusher.http2.fields import request_fields
from pusher.http2.request import Request
from pusher.providers.apple import client as apple
from pusher.providers.apple import payload as apple_payload
from pusher.providers.firebase import payload as firebase_payload
from pusher.push.app import AppleApp, ProviderName
from pusher.push.outcome import FailureReason, Refused
from tests.unit.providers.issued import DEVICE_TOKEN, NOW, notification

TEXT = st.one_of(
    st.text(max_size=40),
    st.builds(lambda piece, times: piece * times, st.text(min_size=1, max_size=3), st.integers(0, 3000)),
    st.sampled_from(["\r\nx: y", "../", "/3/device/x", '","aps":{}', "\ud800", "\u202e", "?#%2f"]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
KEYS = st.one_of(TEXT, st.sampled_from(["aps", "alert", "from", "google.x", "call-id", "registration-token", "proxy"]))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "alert_body": TEXT,
        "alert_key": TEXT,
        "alert_params": st.lists(TEXT, max_size=4).map(tuple),
        "sound": TEXT,
        "badge": st.integers(0, 2**31),
        "call_id": TEXT,
        "payload": st.dictionaries(KEYS, VALUES, max_size=6),
    },
)
APPS = st.builds(
    AppleApp,
    app_id=st.one_of(TEXT, st.just("org.example.app")),
    topic=st.one_of(st.none(), TEXT),
    push_type=st.one_of(st.none(), TEXT, st.sampled_from(["voip", "background"])),
    headers=st.dictionaries(TEXT, TEXT, max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(FIELDS, st.sampled_from(["voip", "alert", "background"]))
def test_apns_gets_json_within_its_limit(fields: dict[str, Any], push_type: str) -> None:
    body = apple_payload.body_for(notification(**fields), push_type)
    if isinstance(body, Refused):
        assert body.reason is FailureReason.PAYLOAD_TOO_LARGE
        return
    assert len(body) <= (5120 if push_type == "voip" else 4096)
    aps = json.loads(body)["aps"]
    assert (aps.get("badge"), aps.get("content-available")) == (
        fields.get("badge", aps.get("badge")),
        1 if push_type == "background" else aps.get("content-available"),
    )


@settings(max_examples=150, deadline=None)
@given(FIELDS)
def test_fcm_gets_json_of_texts_within_its_limit(fields: dict[str, Any]) -> None:
    push = notification(ProviderName.FIREBASE, **fields)
    body = firebase_payload.body_for(push, NOW.timestamp())
    if isinstance(body, Refused):
        assert body.reason is FailureReason.PAYLOAD_TOO_LARGE
        return
    assert len(body) <= 4096 + len(DEVICE_TOKEN)
    message = json.loads(body)["message"]
    assert message["token"] == DEVICE_TOKEN
    assert all(isinstance(value, str) for value in message["data"].values())
    assert not {"from", "google.x"} & set(message["data"])


@settings(max_examples=200, deadline=None)
@given(st.one_of(TEXT, st.just(DEVICE_TOKEN)), APPS)
def test_neither_token_nor_settings_reach_beyond_their_place_in_a_request(token: str, app: AppleApp) -> None:
    made = apple._request(notification(token=token or "t"), app)
    if isinstance(made, Refused):
        return
    assert re.fullmatch("/3/device/[0-9a-f]{64,200}", made.path)
    _check_fields(made)


@pytest.mark.parametrize(
    "token", [DEVICE_TOKEN + "\n", DEVICE_TOKEN + "/..", "\uff10" * 64, DEVICE_TOKEN[:-1], "", "0" * 202]
)
def test_a_token_that_is_nearly_one_is_refused(token: str) -> None:
    made = apple._request(notification(token=token), AppleApp(app_id="org.example.app"))
    assert isinstance(made, Refused)
    assert made.reason is FailureReason.MALFORMED_TOKEN


def _check_fields(made: Request) -> None:
    try:
        fields = request_fields("host", made)
    except NotProcessed:
        return
    assert len(fields) == len(dict(fields))
    assert not any(mark in name + value for name, value in fields for mark in "\r\n\0")
