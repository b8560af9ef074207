"""A push on its way: through a task, and as the request that a provider gets."""

import json
import re
from typing import Any

from pusher.errors import MessageInvalid, NotProcessed
from pusher.http2.fields import FieldEncoder, request_fields
from pusher.http2.request import Request
from pusher.messages.push_request import MAX_EXPIRES_S, PushRequest
from pusher.providers.apple import client as apple_client
from pusher.providers.apple import payload as apple_payload
from pusher.providers.firebase import client as firebase_client
from pusher.providers.firebase import payload as firebase_payload
from pusher.push.app import AppleApp, ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import Refused
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target

NOW = 1_700_000_000.0
KEYS = (
    *("Token-ID", "Token-Type", "Token-App", "Msg-ID", "Server-ID", "Call-ID", "Alert", "Alert-Body", "Alert-Key"),
    *("Alert-Params", "Sound", "Badge", "Payload", "Expires", "Account-ID", "Endpoint-ID", "Token-Reg"),
)
PAYLOAD_KEYS = (
    *("call-id", "Call-ID", "registration-token", "proxy", "caller-id-name", "caller-id-number", "aps", "from"),
    *("google.x", "gcm.notification", "alert", "notification", "utc_unix_timestamp_ms", "message_type", "x"),
)
#: What the tasks of Pusher itself hold.
TASK = Notification.of(
    PushRequest(token="0a" * 32, token_type="apple", app_id="org.x", msg_id="1", server_id="s", payload={"a": [1]}),
    ProviderName.APPLE,
    received_at=NOW,
    wake_window_s=20.0,
).to_task()


def drawn_request(draw: Draw) -> PushRequest | None:
    """Return a request whose fields are whatever JSON can hold; None where the bus would refuse it."""
    message: dict[str, Any] = {"Token-ID": "0a" * 32, "Token-Type": "apple", "Token-App": "org.x.app"}
    message |= {draw.choice(KEYS): draw.json(2) for _ in range(draw.byte() % 8)}
    if draw.byte() % 2:
        message["Payload"] = {
            draw.choice(PAYLOAD_KEYS) if draw.byte() % 4 else draw.text(): draw.json(2) for _ in range(draw.byte() % 8)
        }
    try:
        return PushRequest.from_message(message)
    except MessageInvalid:
        return None


def check_round_trip(data: bytes) -> None:
    """A push comes out of its task as it went in."""
    draw = Draw(data)
    provider, again, received_at = draw.choice(list(ProviderName)), bool(draw.byte() % 2), NOW + draw.number(2) / 7
    request = drawn_request(draw)
    if request is None:
        return
    push = Notification.of(request, provider, received_at=received_at, wake_window_s=20.0, again=again)
    try:
        task = json.dumps(push.to_task(), allow_nan=False)
    except ValueError:
        return  # A payload with NaN, which no JSON of the bus can bring.
    assert Notification.from_task(json.loads(task)) == push


def check_task(data: bytes) -> None:
    """A task that another release or somebody else wrote becomes a push that can be worked on, or `MessageInvalid`."""
    try:
        argument = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        push = Notification.from_task(argument)
    except MessageInvalid as error:
        assert str(error).isprintable()
        return
    assert push.deadline.remaining_s() is not None
    assert abs(push.expires_at - push.received_at) <= MAX_EXPIRES_S + 1
    try:
        task = json.dumps(push.to_task(), allow_nan=False)
    except ValueError:
        # Celery reads more than JSON; a provider gets none of it.
        assert isinstance(apple_payload.body_for(push, "voip"), Refused)
        return
    assert Notification.from_task(json.loads(task)) == push


def check_payload(data: bytes) -> None:
    """Whatever a caller and an operator wrote, a provider gets a sound request within its limit, or none at all."""
    draw = Draw(data)
    app = AppleApp(
        app_id=draw.text() or "org.x.app",
        topic=draw.choice([None, draw.text()]),
        push_type=draw.choice([None, "voip", "background", "alert", draw.text()]),
        headers={draw.text(): draw.text() for _ in range(draw.byte() % 4)},
    )
    request = drawn_request(draw)
    if request is None:
        return
    push = Notification.of(request, ProviderName.APPLE, received_at=NOW, wake_window_s=20.0)
    _check_apple(apple_client._request(push, app))
    if firebase_client._TOKEN.fullmatch(request.token):
        _check_firebase(firebase_payload.body_for(push, NOW + draw.byte()), request)


def _check_apple(made: Request | Refused) -> None:
    if isinstance(made, Refused):
        return
    assert re.fullmatch("/3/device/[0-9a-f]{64,200}", made.path)
    document = json.loads(made.body)
    assert isinstance(document["aps"], dict)
    assert len(made.body) <= (5120 if dict(made.headers)["apns-push-type"] == "voip" else 4096)
    _check_wire(made)


def _check_firebase(body: bytes | Refused, request: PushRequest) -> None:
    if isinstance(body, Refused):
        return
    message = json.loads(body)["message"]
    assert message["token"] == request.token
    assert set(message) == {"token", "data", "android"}
    assert all(isinstance(value, str) for value in message["data"].values())
    assert not any(
        key in ("from", "message_type", "notification") or key.startswith(("google.", "gcm.notification"))
        for key in message["data"]
    )
    assert len(body) - len(request.token) <= 4096
    assert re.fullmatch("[0-9]{1,7}s", message["android"]["ttl"])


def _check_wire(made: Request) -> None:
    """No field says more than one thing, and nothing that is sent ends a header early."""
    try:
        fields = request_fields("host", made)
    except NotProcessed as error:
        assert str(error).isprintable()
        return
    names = [name for name, _ in fields]
    assert len(names) == len(set(names))
    assert not any(mark in name + value for name, value in fields for mark in "\r\n\0")
    FieldEncoder().encode(fields)


SOUND = b"\x00\x00\x00\x00\x03" + b"\x0c\x02\x15hello" + b"\x0b\x02\x18ring.caf" + b"\x01\x02" + b"\x01\x12id\x12ab"
ROUND_TRIP = Target(name="round_trip", check=check_round_trip, seeds=(SOUND, bytes(40), bytes(range(1, 120))))
TASK_ARGUMENT = Target(
    name="task",
    check=check_task,
    seeds=(json.dumps(TASK).encode(),),
    words=(b'"again":', b'"expires_at":', b"NaN", b"1e999", b'"request":{}', b"null", b"9" * 30, b'"firebase"'),
)
PAYLOAD = Target(
    name="payload",
    check=check_payload,
    seeds=(b"\x15app.x" * 3 + SOUND, bytes(60), b"\x0c" + b"x" * 4096 + SOUND, bytes(range(1, 200))),
    words=(b"\r\n", b"/../", b"apns_topic", b"apns-push-type", b"voip", b"\xc3\xbc" * 8, b"\xed\xa0\x80"),
    max_length=32_768,
)
