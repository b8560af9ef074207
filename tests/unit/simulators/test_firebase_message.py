"""Each fault of a message, row by row, in a message that is right but for one thing."""

import json
from typing import Any

import pytest

from pusher.simulators.firebase_message import read_message

ANDROID = {"priority": "HIGH", "ttl": "20s", "direct_boot_ok": True}
GOOD = {"token": "phone", "data": {"call-id": "abc"}, "android": ANDROID}


def test_wake_up_message_is_without_fault() -> None:
    assert read_message(json.dumps({"message": GOOD}).encode()) == (GOOD, None)


@pytest.mark.parametrize("ttl", ["0s", "3.5s", "0.000000001s", "2419200s"])
def test_ttl_is_a_duration_up_to_four_weeks(ttl: str) -> None:
    body = json.dumps({"message": {**GOOD, "android": {"ttl": ttl}}}).encode()
    assert read_message(body)[1] is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_body_that_is_no_json_is_a_fault_of_form(body: bytes) -> None:
    fault = read_message(body)[1]

    assert fault is not None
    assert (fault.field, fault.by_fcm) == ("", False)


@pytest.mark.parametrize(
    ("changed", "field", "by_fcm"),
    [
        ({"surprise": 1}, "message", False),
        ({"android": {"surprise": 1}}, "message.android", False),
        ({"android": []}, "message.android", False),
        ({"data": []}, "message.data", False),
        ({"data": {"a": "b", "n": 1}}, "message.data[1].value", False),
        ({"android": {"data": {"n": None}}}, "message.android.data[0].value", False),
        ({"android": {"ttl": "20"}}, "message.android.ttl", False),
        ({"android": {"ttl": 20}}, "message.android.ttl", False),
        ({"android": {"ttl": "-1s"}}, "message.android.ttl", False),
        ({"android": {"ttl": ".5s"}}, "message.android.ttl", False),
        ({"android": {"ttl": "2419201s"}}, "message.android.ttl", True),
        ({"android": {"priority": "URGENT"}}, "message.android.priority", False),
        ({"android": {"priority": 10}}, "message.android.priority", False),
        ({"android": {"direct_boot_ok": "yes"}}, "message.android.direct_boot_ok", False),
        ({"token": None}, "message", True),
        ({"topic": "news"}, "message", True),
        ({"data": {"from": "x"}}, "message.data", True),
        ({"data": {"message_type": "x"}}, "message.data", True),
        ({"data": {"notification": "x"}}, "message.data", True),
        ({"data": {"google.x": "x"}}, "message.data", True),
        ({"data": {"gcm.notification.x": "x"}}, "message.data", True),
        ({"android": {"data": {"from": "x"}}}, "message.data", True),
        ({"data": {"a": "x" * 4096}}, "message", True),
    ],
)
def test_message_with_one_fault_is_refused_for_it(changed: dict[str, Any], field: str, by_fcm: bool) -> None:
    fault = read_message(json.dumps({"message": {**GOOD, **changed}}).encode())[1]

    assert fault is not None
    assert (fault.field, fault.by_fcm) == (field, by_fcm)


@pytest.mark.parametrize("request_", [[], {}, {"message": "x"}, {"message": GOOD, "surprise": 1}])
def test_request_without_exactly_a_message_is_refused(request_: Any) -> None:
    assert read_message(json.dumps(request_).encode())[1] is not None


def test_4096_bytes_of_data_are_not_too_big() -> None:
    body = json.dumps({"message": {**GOOD, "data": {"a": "x" * 4095}}}).encode()
    assert read_message(body)[1] is None
