"""A value that a traceback, a log line or a debugger shows does not give away what it holds."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import pusher
import tasks
from pusher.documents.http_server import Answer
from pusher.documents.typed_settings import TypedSettings
from pusher.http2.request import Response
from pusher.messages.push_request import PushRequest
from pusher.providers.firebase.auth import _Answer
from pusher.push.app import TokenKey
from pusher.registration.push_object import PushObject
from pusher.settings import Settings

CANARY = "canary-4711"

#: Names of fields that hold secrets, or may.
SECRET_NAMES = {
    *("alert_body", "alert_params", "payload", "contact", "header_params", "uri_params", "properties", "fields"),
    *("api_key", "authorization", "certificate", "key", "password", "private_key", "secret", "service_account"),
    *("broker_url", "bus_url", "documents_url", "proxy_url", "redis_url", "path", "routing_key"),
    *("before", "body", "data", "entries", "ours", "text", "theirs", "values"),
    *("registration_token", "token"),
}
#: Fields that have such a name and hold no secret, and why.
HARMLESS = {
    "Finding.text": "a sentence of ours",
    "Judgement.text": "a sentence of ours",
    "Verdict.token": "a fingerprint",
    "PushObject.entries": "the class has a repr of its own, tried below",
    "_Section.path": "where in the document",
    "Pair.certificate": "public, its key is beside it",
    "HeaderBlock.fields": "headers of an answer",
    "APNsHeaders.fields": "headers without the provider token",
    "_Attempt.key": "TokenKey hides its secret, tried below",
    "UserAgentRule.properties": "names of Contact parameters",
    "_Question.token": "a digest",
    "Part.key": "where in the document",
    "Found.key": "the same",
    "Found.path": "the same",
}


def shown_fields() -> Iterator[str]:
    """Yield `Class.field` for all fields that stand in the repr of their dataclass."""
    for package in (pusher, tasks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.startswith("pusher.simulators"):
                continue
            for cls in vars(importlib.import_module(module.name)).values():
                if not isinstance(cls, type) or not dataclasses.is_dataclass(cls) or cls.__module__ != module.name:
                    continue
                if cls.__repr__ is not object.__repr__:
                    yield from (f"{cls.__name__}.{each.name}" for each in dataclasses.fields(cls) if each.repr)


def test_fields_that_may_hold_secrets_are_not_shown() -> None:
    suspicious = {name for name in shown_fields() if name.partition(".")[2] in SECRET_NAMES}
    assert suspicious - HARMLESS.keys() == set()
    assert HARMLESS.keys() - suspicious == set(), "these need no exception any more"


REQUEST = {
    "Token-ID": CANARY,
    "Token-Type": "apple",
    "Token-App": "org.example.app",
    "Alert-Body": CANARY,
    "Alert-Params": [CANARY],
    "Payload": {"caller-id-number": CANARY, "registration-token": CANARY},
}
APPS = {
    "a": {"apple": {"certificate": CANARY, "host": "example.com"}, "firebase": {"api_key": CANARY}},
    "b": {"apple": {"token_key": {"key_id": "K", "team_id": "T", "private_key": CANARY}}},
    "c": {"firebase": {"service_account": {"private_key": CANARY, "client_email": "e", "token_uri": "u"}}},
}


@pytest.mark.parametrize(
    "value",
    [
        Answer(200, CANARY.encode()),
        Response(status=200, body=CANARY.encode()),
        _Answer(200, {}, CANARY.encode()),
        PushRequest.from_message(REQUEST),
        TokenKey(key_id="K", team_id="T", private_key=CANARY),
        TypedSettings.of(APPS, None),
        PushObject((("Token-ID", CANARY), ("Token-App", "a"))),
        Settings.from_environment(
            {
                "PUSHER_BUS_URL": f"amqp://u:{CANARY}@h//",
                "PUSHER_BROKER_URL": f"amqp://u:{CANARY}@h//",
                "PUSHER_REDIS_URL": f"redis://:{CANARY}@h/0",
                "PUSHER_DOCUMENTS_URL": f"http://u:{CANARY}@h",
                "PUSHER_PROXY_URL": f"http://u:{CANARY}@h",
            }
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_value_holds_is_not_in_its_repr(value: object) -> None:
    assert CANARY not in repr(value)
