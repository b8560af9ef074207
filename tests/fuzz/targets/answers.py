"""What a push service answers, or whoever stands in its way."""

import json
from datetime import UTC, datetime

from pusher.http2.request import Response
from pusher.providers.apple import responses as apple
from pusher.providers.firebase import responses as firebase
from pusher.providers.json_body import read_object
from pusher.providers.retry_after import retry_after_s
from pusher.push.outcome import Delivered, Refused, TokenDead, TryLater
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
STATUSES = (200, 400, 401, 403, 404, 405, 410, 413, 429, 500, 502, 503, 504, 204, 302, 451, 599, 999)
PUSH_ID = "11111111-2222-4333-8444-555555555555"
FCM_ERROR = {
    "error": {
        "code": 404,
        "message": "Requested entity was not found.",
        "status": "NOT_FOUND",
        "details": [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"}],
    }
}


def check_answer(data: bytes) -> None:
    """Every answer is an outcome that can be logged and told to a caller; only two answers end a token."""
    draw = Draw(data)
    status = draw.choice(STATUSES)
    name, value = draw.choice(["retry-after", "apns-id", "x"]), draw.text()
    response = Response(status=status, headers=((name, value),), body=draw.rest())
    wait_s = retry_after_s(response, NOW)
    assert wait_s is None or 0 <= wait_s < float("inf")
    for read_answer in (apple.read_answer, firebase.read_answer):
        outcome = read_answer(response, PUSH_ID, NOW).outcome
        match outcome:
            case Delivered():
                assert status == 200
                assert outcome.provider_ref.isprintable()
            case TokenDead():
                assert status in (400, 404, 410)
                assert outcome.dead_since is None or 0 < outcome.dead_since < 1e12
                assert outcome.code.isprintable()
            case TryLater() | Refused():
                assert status != 200
                assert outcome.code.isprintable()
                assert isinstance(outcome, TryLater) or not 500 <= status <= 599
    assert isinstance(read_object(response.body), dict)


ANSWER = Target(
    name="answer",
    check=check_answer,
    seeds=(
        b"\x06\x00\x10" + b'{"reason":"Unregistered","timestamp":1700000000000}',
        b"\x0a\x00\x2dWed, 21 Oct 2026 07:28:00 GMT" + b"<html>503</html>",
        b"\x04\x02\x10" + json.dumps(FCM_ERROR).encode(),
        b"\x00\x01\x34" + PUSH_ID.encode() + b'{"name":"projects/x/messages/0:15"}',
        b"\x01\x00\x11" + b'7{"error":{"details":[{"fieldViolations":[{"field":"message.token"}]}]}}',
    ),
    words=(
        b'"reason":"ExpiredToken"', b'"timestamp":', b'"errorCode":"QUOTA_EXCEEDED"', b'"@type":', b"1e999", b"-0000",
        b'"fieldViolations":', b'"INVALID_ARGUMENT"', b"not a valid FCM registration token",
    ),
)  # fmt: skip
