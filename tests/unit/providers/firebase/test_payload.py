"""The FCM message."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pusher.providers.firebase.payload import body_for
from pusher.push.app import ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import FailureReason, Refused
from tests.unit.providers.issued import NOW, notification

STAMP = str(int(NOW.timestamp() * 1000))
TOKEN = "fX9_q:APA91bH-Example_Token~0123456789"


def push(**fields: Any) -> Notification:
    return notification(ProviderName.FIREBASE, token=TOKEN, **fields)


def message(pushed: Notification, now: float = NOW.timestamp()) -> dict[str, Any]:
    body = body_for(pushed, now)
    assert isinstance(body, bytes)
    document = json.loads(body)
    assert set(document) == {"message"}
    return document["message"]


def test_everything_kazoo_sends() -> None:
    pushed = push(
        call_id="1-10722@127.0.0.1",
        alert_key="IC_SIL",
        alert_params=("+15551230000 - Bob Müller",),
        sound="ring.caf",
        payload={"call-id": "1-10722@127.0.0.1", "n": 7, "yes": True, "deep": {"a": [1]}},
    )
    assert message(pushed) == {
        "token": TOKEN,
        "data": {
            "alert": '{"loc-key":"IC_SIL","loc-args":["+15551230000 - Bob Müller"]}',
            "alert.loc-key": "IC_SIL",
            "alert.loc-args": '["+15551230000 - Bob Müller"]',
            "sound": "ring.caf",
            "Call-ID": "1-10722@127.0.0.1",
            "call-id": "1-10722@127.0.0.1",
            "n": "7",
            "yes": "true",
            "deep": '{"a":[1]}',
            "utc_unix_timestamp_ms": STAMP,
        },
        "android": {"priority": "HIGH", "ttl": "20s", "direct_boot_ok": True},
    }


def test_alert_body() -> None:
    data = message(push(alert_body="Bob"))["data"]
    assert data == {"alert": '{"body":"Bob"}', "alert.body": "Bob", "utc_unix_timestamp_ms": STAMP}


@pytest.mark.parametrize(
    ("passed_s", "ttl"), [(0, "20s"), (0.5, "19s"), (19.5, "0s"), (20, "0s"), (99, "0s"), (-1e9, "2419200s")]
)
def test_ttl_is_what_is_left_in_whole_seconds(passed_s: float, ttl: str) -> None:
    assert message(push(), NOW.timestamp() + passed_s)["android"]["ttl"] == ttl


def test_ours_wins_over_payload() -> None:
    theirs = {"sound": "theirs", "Call-ID": "theirs", "alert": "theirs", "utc_unix_timestamp_ms": "1"}
    data = message(push(sound="ours", call_id="ours", alert_key="K", payload=theirs))["data"]
    assert (data["sound"], data["Call-ID"], data["alert"]) == ("ours", "ours", '{"loc-key":"K"}')
    assert data["utc_unix_timestamp_ms"] == STAMP


@pytest.mark.parametrize("key", ["from", "message_type", "notification", "google.x", "gcm.notification.title"])
def test_reserved_keys_are_renamed(key: str) -> None:
    data = message(push(payload={key: "Bob"}))["data"]
    assert data == {f"payload.{key}": "Bob", "utc_unix_timestamp_ms": STAMP}


def test_every_value_is_a_text() -> None:
    payload = {"a": None, "b": 1.5, "c": [], "d": False, "e": ""}
    values = message(push(payload=payload))["data"].values()
    assert all(isinstance(value, str) for value in values)


def test_4096_bytes_without_the_token() -> None:
    size = 4096 - len(body_for(push(payload={"n": {"x": ""}}), NOW.timestamp())) + len(TOKEN)  # type: ignore[arg-type]
    long = replace(push(payload={"n": {"x": "y" * size}}))
    assert isinstance(body_for(long, NOW.timestamp()), bytes)
    refused = body_for(push(payload={"n": {"x": "y" * (size + 1)}}), NOW.timestamp())
    assert isinstance(refused, Refused)
    assert refused.reason is FailureReason.PAYLOAD_TOO_LARGE


def test_long_text_goes_before_the_push_does() -> None:
    data = message(push(alert_body="x" * 5000, payload={"registration-token": "r"}))["data"]
    assert data == {"registration-token": "r", "utc_unix_timestamp_ms": STAMP}


def test_nan_is_refused() -> None:
    assert isinstance(body_for(push(payload={"x": float("nan")}), 0.0), Refused)
