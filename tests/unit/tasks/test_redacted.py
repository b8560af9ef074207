"""What Celery shows of a task holds no token and no caller, at any depth and in every view."""

import ast
from typing import Any

import pytest
from celery.worker.request import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.message import Message

from pusher.messages.push_request import PushRequest
from pusher.push.app import ProviderName
from pusher.push.notification import Notification
from pusher.redact import fingerprint
from tasks.app import app
from tasks.push import deliver
from tasks.redacted import RedactedRequest, shown

SECRETS = {
    "Token-ID": "secret-token",
    "Token-Reg": "secret-registration",
    "Payload": {"registration-token": "secret-registration", "caller": "secret-caller"},
    "Alert-Body": "secret-body",
    "Alert-Params": ["secret-caller"],
    "token": "secret-token",
    "push_object": {"Token-ID": "secret-token"},
}
NOTIFICATION = Notification.of(
    PushRequest(
        token="secret-token",
        token_type="apple",
        app_id="org.example.app",
        call_id="c1@proxy",
        alert_body="secret-body",
        alert_params=("secret-caller",),
        payload={"registration-token": "secret-registration", "caller": "secret-caller"},
        registration_token="secret-registration",
    ),
    ProviderName.APPLE,
    received_at=1_800_000_000.0,
    wake_window_s=20.0,
)


@pytest.mark.parametrize("key", SECRETS)
def test_every_secret_is_shown_as_its_fingerprint(key: str) -> None:
    assert shown({key: SECRETS[key], "plain": 1}) == repr({key: fingerprint(str(SECRETS[key])), "plain": 1})


@given(path=st.lists(st.sampled_from(["a", 0]), max_size=8), key=st.sampled_from(sorted(SECRETS)))
@settings(max_examples=100, deadline=None)
def test_secrets_are_found_at_any_depth_in_objects_and_lists(path: list[Any], key: str) -> None:
    value: Any = {key: SECRETS[key]}
    for step in path:
        value = {step: value} if isinstance(step, str) else [value, (value,)]
    assert "secret" not in shown({"notification": value})


def test_what_is_left_is_worth_reading() -> None:
    said = shown({"notification": NOTIFICATION.to_task()})
    assert "secret" not in said
    request = ast.literal_eval(said)["notification"]["request"]
    assert (request["Call-ID"], request["Token-App"], request["Token-Type"]) == ("c1@proxy", "org.example.app", "apple")
    assert request["Token-ID"] == fingerprint("secret-token")


def request_of(cls: type[Request]) -> Request:
    """Return the delivery task as a worker holds it."""
    kwargs = {"notification": NOTIFICATION.to_task()}
    headers = {"id": "t1", "task": deliver.name, "argsrepr": "()", "kwargsrepr": shown(kwargs), "lang": "py"}
    body = ([], kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
    message = Message(body=body, headers=headers, content_type="application/json", content_encoding="utf-8")
    return cls(message, app=app, task=deliver, body=body, decoded=True, headers=headers, on_ack=print)


@pytest.mark.parametrize("safe", [True, False])
def test_celery_inspect_sees_only_what_is_safe(safe: bool) -> None:
    assert "secret" not in repr(request_of(RedactedRequest).info(safe=safe))
    assert "secret" not in repr(request_of(RedactedRequest).info())


def test_without_that_celery_would_show_everything() -> None:
    assert "secret-token" in repr(request_of(Request).info())


def test_a_request_names_itself_without_its_arguments() -> None:
    request = request_of(RedactedRequest)
    assert "secret" not in f"{request} {request!r} {request.humaninfo()}"


@pytest.mark.parametrize("name", ["pusher.push.deliver", "pusher.devices.learn", "pusher.devices.forget"])
def test_every_task_is_held_that_way(name: str) -> None:
    app.loader.import_default_modules()
    assert app.tasks[name].Request == "tasks.redacted:RedactedRequest"
