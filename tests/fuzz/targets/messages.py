"""What comes off the bus: bodies of bytes, and JSON text in them."""

import json
from typing import Any

from pusher import redact
from pusher.errors import MessageInvalid
from pusher.messages import envelope, json_text
from pusher.messages.document_change import DocumentChange
from pusher.messages.push_request import PushRequest
from pusher.messages.push_response import PushResponse
from pusher.messages.registration import Registration
from tests.fuzz.target import Target
from tests.unit.messages import samples

DOCUMENT_CHANGE = (
    b'{"Event-Category":"configuration","Event-Name":"doc_edited","App-Name":"crossbar","App-Version":"4.3",'
    b'"Msg-ID":"1","ID":"pusher","Type":"system_config","Database":"account%2F00%2F11","Rev":"2-abc","Account-ID":null}'
)
REJECTED = (MessageInvalid,)


def check_message(data: bytes) -> None:
    """Whatever a body holds, each kind of message is a value that survives its own form, or `MessageInvalid`."""
    try:
        fields = envelope.decode(data)
    except MessageInvalid as error:
        assert error.field == "body"
        assert str(error).isprintable()
        return
    json.dumps(redact.message(fields)).encode()
    request = _read(PushRequest.from_message, fields)
    if request is not None:
        assert PushRequest.from_message(_through_json(request.to_message())) == request
    change = _read(DocumentChange.from_message, fields)
    if change is not None:
        change.routing_key.encode()
        assert DocumentChange.from_message(_through_json(change.to_message("pusher@x"))).doc_id == change.doc_id
    response = _read(lambda message: PushResponse.from_message(message, "server"), fields)
    if response is not None:
        assert PushResponse.from_message(_through_json(response.to_message("pusher@x")), "server") == response
    registration = _read(Registration.from_message, fields)
    if registration is not None:
        json.dumps(dict(registration.fields)).encode()


def _read(read: Any, fields: dict[str, Any]) -> Any:
    try:
        return read(fields)
    except MessageInvalid as error:
        assert str(error).isprintable()
        assert len(str(error)) < 100
        return None


def _through_json(message: dict[str, Any]) -> dict[str, Any]:
    return envelope.decode(json.dumps(message, ensure_ascii=False).encode(), max_bytes=4 * envelope.MAX_BODY)


def check_json_text(data: bytes) -> None:
    """JSON text becomes a value that can be written and read again, or a `ValueError` of a few words."""
    text = data.decode("utf-8", "replace")
    try:
        value = json_text.loads(text)
    except ValueError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 60
        return
    written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    assert json_text.loads(written.encode().decode()) == value


MESSAGE = Target(
    name="message",
    check=check_message,
    seeds=(samples.PUSH_REQ, samples.PUSH_REQ_OLDER_ROLE, samples.REG_SUCCESS, DOCUMENT_CHANGE),
    words=(b'"Alert":', b'"Badge":', b'"Expires":', b'"Payload":', b'"Push-Status":"failed"', b"\\ud800", b"1e999"),
)
JSON_TEXT = Target(
    name="json_text",
    check=check_json_text,
    seeds=(b'{"a":[1,-2.5e3,null,true,"\\u00e9\\ud83d\\ude00"]}', b"[" * 40 + b"]" * 40, samples.PUSH_REQ),
    words=(b"\\ud800", b"\\udc00", b"NaN", b"-Infinity", b"1e999", b"[[[[", b'{"":'),
)
