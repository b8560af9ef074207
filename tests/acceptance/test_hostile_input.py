"""Garbage on the bus: nothing dies of it, nothing of it reaches a provider, all of it can be read."""

import json
import secrets

import pytest
from kombu import Connection

from pusher.bus.dead_letters import DeadLetters
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import PUSHES, REGISTRAR
from pusher.simulators.stage import AppKind, Stage
from tasks.app import app
from tests.acceptance.system import System
from tests.integration.bus.broker import UNREADABLE_PROPERTIES, put, put_raw
from tests.support.child import port_of, reserve_port
from tests.support.until import until

PUSH_REQ = {
    "Event-Category": "notification",
    "Event-Name": "push_req",
    "Token-ID": "ab" * 32,
    "Token-Type": "apple",
    "Token-App": AppKind.APPLE_KEY,
}
REG_SUCCESS = {
    "Event-Category": "directory",
    "Event-Name": "reg_success",
    "Status": "Registered",
    "Expires": 600,
    "User-Agent": "ExamplePhone/1",
    "Contact": "<sip:a@b>;pn-tok=x",
}


def body(message, **changes):
    return json.dumps(message | changes).encode()


GARBAGE = {
    "not JSON": b"\x00\xff{{{",
    "empty": b"",
    "not an object": b"[1, 2, 3]",
    "a number": b"1" * 400,
    "nested too deeply": b"[" * 100_000,
    "megabytes": b'{"a": "' + b"x" * 3_000_000 + b'"}',
    "another event": b'{"Event-Category": "x", "Event-Name": "y"}',
}
PUSH_GARBAGE = GARBAGE | {
    "token of a wrong type": body(PUSH_REQ, **{"Token-ID": {"a": 1}}),
    "token too long": body(PUSH_REQ, **{"Token-ID": "a" * 5000}),
    "no token": body(PUSH_REQ, **{"Token-ID": ""}),
    "Expires without end": body(PUSH_REQ, Expires=1e300),
    "Payload of a wrong type": body(PUSH_REQ, Payload=7),
}
REGISTRATION_GARBAGE = GARBAGE | {
    "unterminated quote": body(REG_SUCCESS, Contact='"Ann <sip:a@b>;pn-tok=x'),
    "unterminated bracket": body(REG_SUCCESS, Contact="<sip:a@b;pn-tok=x"),
    "token with a line break": body(REG_SUCCESS, Contact="<sip:a@b>;pn-tok=x%0D%0AX-Evil:1"),
    "Contact of a wrong type": body(REG_SUCCESS, Contact={"a": 1}),
    "Contact without end": body(REG_SUCCESS, Contact="<sip:a@b>" + ";a" * 20_000),
}
HOSTILE_TOKENS = ["../device", "a/b", "x\r\nauthorization: bearer y", "%2e%2e%2f", "a" * 4000, "\u202e", "?q=1#f"]


@pytest.fixture
def publisher(system):
    made = BusPublisher(system.bus_url, "stranger")
    yield made
    made.close()


def dead_letters(system):
    return int(system.run("pusher", "dead", "list").stdout.splitlines()[-1].split()[0])


@pytest.mark.parametrize(
    ("exchange", "key", "garbage"),
    [
        (PUSHES, "notification.push.apple.x", PUSH_GARBAGE),
        (REGISTRAR, "registration.success.realm.user", REGISTRATION_GARBAGE),
    ],
    ids=["calls", "registrations"],
)
def test_garbage_is_kept_with_its_reason_and_stops_nothing(system, publisher, exchange, key, garbage):
    before, requests = dead_letters(system), len(system.stage.apns.requests)
    for data in garbage.values():
        publisher.publish(exchange, key, data, content_type="application/json", content_encoding="utf-8")
    until(lambda: dead_letters(system) == before + len(garbage), seconds=20)
    assert len(system.stage.apns.requests) == requests
    assert system.call(system.stage.handset(AppKind.APPLE_KEY)).answer(5.0)["Push-Status"] == "registered"
    assert system.alive("listener")
    assert system.alive("worker")


NOTIFICATION = {
    "request": {"Token-ID": "secret" * 10, "Token-Type": "apple", "Token-App": "a"},
    "provider": "apple",
    "push_id": "00000000-0000-4000-8000-000000000000",
    "received_at": 1.0,
    "expires_at": 2.0,
}
WORKERS_QUEUES = ("push.apple", "push.firebase", "devices")
IDS = {"account_id": "0" * 32, "device_id": "d"}
#: Queue, task, arguments; and what is wrong with them.
STRANGE_TASKS = {
    "no notification": ("push.apple", "pusher.push.deliver", {}, "notification: is not an object"),
    "an argument twice": (
        "push.apple",
        "pusher.push.deliver",
        {"self": 1, "task": 2},
        "task: is invalid: InvalidTaskError",
    ),
    "a notification of a wrong type": ("push.apple", "pusher.push.deliver", {"notification": [1]}, "notification: "),
    "no provider": ("push.apple", "pusher.push.deliver", {"notification": {}}, "provider: is missing"),
    "a provider of tomorrow": (
        "push.apple",
        "pusher.push.deliver",
        {"notification": NOTIFICATION | {"provider": "huawei"}},
        "provider: is not one of ours",
    ),
    "a push id that is a header": (
        "push.firebase",
        "pusher.push.deliver",
        {"notification": NOTIFICATION | {"push_id": "a\r\nb"}},
        "push_id: is not a UUID",
    ),
    "a time without end": (
        "push.apple",
        "pusher.push.deliver",
        {"notification": NOTIFICATION | {"expires_at": float("inf")}},
        "expires_at: is out of range",
    ),
    "no device": ("devices", "pusher.devices.learn", {"push_object": {"Token-ID": "secret" * 9}}, "device_id: "),
    "a device that leads elsewhere": (
        "devices",
        "pusher.devices.learn",
        IDS | {"device_id": "../_users", "push_object": {}},
        "Authorizing-ID: is not a document id",
    ),
    "no push object": ("devices", "pusher.devices.learn", IDS | {"push_object": "secret" * 9}, "push_object: "),
    "a push object with a line break": (
        "devices",
        "pusher.devices.learn",
        IDS | {"push_object": {"Token-ID": "secret\r\nX-Evil: 1"}},
        "Token-ID: is not printable",
    ),
    "no token": ("devices", "pusher.devices.forget", IDS | {"dead_since": 1}, "token: is missing"),
    "a time that is none": (
        "devices",
        "pusher.devices.forget",
        IDS | {"token": "secret", "dead_since": "x"},
        "dead_since",
    ),
    "a task of tomorrow": ("devices", "pusher.devices.praise", {"token": "secret" * 9}, "task: is of an unknown name"),
}
#: What is no task, to Celery or at all: properties and body.
STRANGE_MESSAGES = {
    "no JSON": (
        {"content_type": "application/json", "application_headers": {"task": "pusher.push.deliver", "id": "1"}},
        b"{",
    ),
    "no list": (
        {"content_type": "application/json", "application_headers": {"task": "pusher.push.deliver", "id": "1"}},
        b"7",
    ),
    "no arguments": (
        {"content_type": "application/json", "application_headers": {"task": "pusher.push.deliver", "id": "1"}},
        b'[[],"x",{}]',
    ),
    "nested too deeply": (
        {"content_type": "application/json", "application_headers": {"task": "pusher.push.deliver", "id": "1"}},
        b"[" * 100_000,
    ),
    "an expiry that is none": (
        {
            "content_type": "application/json",
            "application_headers": {"task": "pusher.push.deliver", "id": "1", "expires": "tomorrow", "eta": {"a": 1}},
        },
        b"[[],{},{}]",
    ),
    "another language": (
        {"content_type": "application/x-python-serialize", "application_headers": {"task": "x"}},
        b"x",
    ),
    "no headers": ({"content_type": "text/plain"}, b"hello"),
}


def tasks(system, publisher):
    """Return what is in pusher.dead of the workers' queues."""
    return [each for each in DeadLetters(system.bus_url, publisher).read() if each.queue in WORKERS_QUEUES]


def kept(system, publisher, before, count):
    """Return the `count` letters that came behind those `before`."""
    until(lambda: len(tasks(system, publisher)) >= before + count, seconds=30)
    return tasks(system, publisher)[before:]


def test_tasks_that_cannot_be_rebuilt_are_kept_with_their_reason_and_end_no_worker(system, publisher):
    before = len(tasks(system, publisher))
    with Connection(system.bus_url) as connection:
        for queue, task, arguments, _ in STRANGE_TASKS.values():
            app.send_task(task, kwargs=arguments, queue=queue, connection=connection)
    for properties, data in STRANGE_MESSAGES.values():
        put(system.bus_url, "push.apple", data, **properties)
    for name, properties in UNREADABLE_PROPERTIES.items():
        put_raw(system.bus_url, "push.apple", name.encode(), properties)
    count = len(STRANGE_TASKS) + len(STRANGE_MESSAGES) + len(UNREADABLE_PROPERTIES)
    letters = kept(system, publisher, before, count)
    assert len(letters) == count
    assert {letter.reason for letter in letters} == {"task_invalid"}
    problems = [(letter.queue, letter.problem) for letter in letters]
    for name, (queue, _, _, problem) in STRANGE_TASKS.items():
        assert [each for each in problems if each[0] == queue and each[1].startswith(problem)], name
    bodies = [letter.body for letter in letters]
    assert {data for _, data in STRANGE_MESSAGES.values()} <= set(bodies)
    assert {name.encode() for name in UNREADABLE_PROPERTIES} <= set(bodies)
    assert system.call(system.stage.handset(AppKind.APPLE_KEY)).answer(5.0)["Push-Status"] == "registered"
    assert system.alive("worker")
    assert "Unrecoverable error" not in system.log("worker")
    assert "secret" not in system.log("worker")


def test_tasks_that_cannot_be_kept_while_the_bus_is_away_come_again(tmp_path, bus_url, redis_url):
    with Stage(tmp_path / "stage", bus_url) as stage, reserve_port() as holder:
        system = System(tmp_path, bus_url, redis_url, stage, 20.0)
        system.environment["PUSHER_BROKER_URL"] = bus_url
        system.environment["PUSHER_BUS_URL"] = f"amqp://127.0.0.1:{port_of(holder)}//"
        publisher = BusPublisher(bus_url, "stranger")
        try:
            system.start_worker()
            with Connection(bus_url) as connection:
                app.send_task("pusher.devices.learn", kwargs={}, queue="devices", connection=connection)
            put(bus_url, "devices", b"no task")
            until(lambda: system.log("worker").count("task could not be kept, it comes again") >= 2)
            assert tasks(system, publisher) == []
            system.stop("worker")
            assert system.log("worker").count("task could not be kept, it comes again") < 6
            system.environment["PUSHER_BUS_URL"] = bus_url
            system.start_worker()
            assert {letter.reason for letter in kept(system, publisher, 0, 2)} == {"task_invalid"}
        finally:
            publisher.close()
            system.close()


def test_a_kept_task_is_shown_without_its_secrets_and_does_not_go_back(system, publisher):
    before = len(tasks(system, publisher))
    secret = "secret-token"
    with Connection(system.bus_url) as connection:
        arguments = {"token": secret, "push_object": {"Token-ID": secret, "Token-App": "the-app"}}
        app.send_task("pusher.devices.learn", kwargs=arguments, queue="devices", connection=connection)
    [letter] = kept(system, publisher, before, 1)
    shown = system.run("pusher", "dead", "show", letter.letter_id).stdout
    assert "Reason: task_invalid" in shown
    assert "Problem: device_id: is missing, or account_id is" in shown
    assert "the-app" in shown
    assert "secret" not in shown
    refused = system.run("pusher", "dead", "requeue", letter.letter_id, check=False)
    assert (refused.returncode, refused.stdout) == (1, "0 put back\n")
    assert f"cannot go back, not from the bus or not kept whole: {letter.letter_id}" in refused.stderr
    assert letter.letter_id in system.run("pusher", "dead", "list").stdout


@pytest.mark.parametrize("kind", [AppKind.APPLE_KEY, AppKind.FIREBASE])
@pytest.mark.parametrize("token", HOSTILE_TOKENS, ids=[repr(token[:12]) for token in HOSTILE_TOKENS])
def test_a_hostile_token_is_refused_before_the_wire(system, kind, token):
    provider = system.stage.fcm if kind is AppKind.FIREBASE else system.stage.apns
    before = len(provider.requests)
    call = system.call(system.stage.handset(kind), **{"Token-ID": token})
    assert call.answer(2.0)["Push-Status"] == "failed"
    hostile = [request for request in provider.requests[before:] if kind is not AppKind.FIREBASE]
    assert hostile == []


def test_a_dead_letter_can_be_shown_and_put_back(system, publisher):
    token = secrets.token_hex(32)
    publisher.publish(
        PUSHES,
        "notification.push.apple.x",
        body(PUSH_REQ, **{"Token-ID": token, "Badge": "many", "Call-ID": "the-call"}),
        content_type="application/json",
    )
    listing = until(
        lambda: [line for line in system.run("pusher", "dead", "list").stdout.splitlines() if "Badge" in line]
    )
    letter_id = listing[0].split()[0]
    shown = system.run("pusher", "dead", "show", letter_id).stdout
    assert "the-call" in shown
    assert token not in shown
    assert "1 put back" in system.run("pusher", "dead", "requeue", letter_id).stdout
    until(lambda: letter_id not in system.run("pusher", "dead", "list").stdout)
