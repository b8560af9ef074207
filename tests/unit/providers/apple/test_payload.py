"""The APNs payload."""

import json
from typing import Any

from pusher.providers.apple.payload import body_for
from pusher.push.outcome import FailureReason, Refused
from tests.unit.providers.issued import NOW, notification

STAMP = str(int(NOW.timestamp() * 1000))


def payload(push_type: str = "voip", **fields: Any) -> dict[str, Any]:
    body = body_for(notification(**fields), push_type)
    assert isinstance(body, bytes)
    return json.loads(body)


def test_everything_kazoo_sends() -> None:
    assert payload(
        call_id="1-10722@127.0.0.1",
        alert_key="IC_SIL",
        alert_params=("+15551230000 - Bob Müller",),
        sound="ring.caf",
        badge=0,
        payload={"call-id": "1-10722@127.0.0.1", "proxy": "sip:127.0.0.1:15060"},
    ) == {
        "aps": {
            "alert": {"loc-key": "IC_SIL", "loc-args": ["+15551230000 - Bob Müller"]},
            "sound": "ring.caf",
            "badge": 0,
            "call-id": "1-10722@127.0.0.1",
        },
        "call-id": "1-10722@127.0.0.1",
        "proxy": "sip:127.0.0.1:15060",
        "utc_unix_timestamp_ms": STAMP,
    }


def test_alert_body_is_plain() -> None:
    assert payload(alert_body='+1 - "Bob Müller"')["aps"] == {"alert": {"body": '+1 - "Bob Müller"'}}


def test_bare_push() -> None:
    assert payload() == {"aps": {}, "utc_unix_timestamp_ms": STAMP}


def test_background_push_is_content_available() -> None:
    assert payload("background")["aps"] == {"content-available": 1}


def test_their_aps_adds_and_never_overrides() -> None:
    theirs = {"sound": "theirs", "mutable-content": 1, "alert": {"title": "T", "body": "theirs"}}
    assert payload(sound="ours", alert_body="ours", payload={"aps": theirs})["aps"] == {
        "sound": "ours",
        "mutable-content": 1,
        "alert": {"title": "T", "body": "ours"},
    }


def test_odd_aps_of_theirs_is_left_out() -> None:
    assert payload(sound="ours", payload={"aps": "x"})["aps"] == {"sound": "ours"}
    assert payload(alert_body="ours", payload={"aps": {"alert": "x"}})["aps"] == {"alert": {"body": "ours"}}


def test_their_timestamp_is_ours() -> None:
    assert payload(payload={"utc_unix_timestamp_ms": "1"})["utc_unix_timestamp_ms"] == STAMP


def test_body_is_compact_utf8() -> None:
    body = body_for(notification(alert_body="ü"), "voip")
    assert body == f'{{"utc_unix_timestamp_ms":"{STAMP}","aps":{{"alert":{{"body":"ü"}}}}}}'.encode()


def test_voip_takes_5120_bytes_and_alert_4096() -> None:
    note = {"n": {"x": "y" * 4500}}
    assert isinstance(body_for(notification(payload=note), "voip"), bytes)
    refused = body_for(notification(payload=note), "alert")
    assert isinstance(refused, Refused)
    assert refused.reason is FailureReason.PAYLOAD_TOO_LARGE
    assert isinstance(body_for(notification(payload={"n": {"x": "y" * 5120}}), "voip"), Refused)


def test_long_text_goes_before_the_push_does() -> None:
    result = payload("alert", alert_body="x" * 5000, call_id="c", payload={"registration-token": "r"})
    assert result["aps"] == {"call-id": "c"}
    assert result["registration-token"] == "r"
