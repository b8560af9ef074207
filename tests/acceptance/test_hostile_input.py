"""Garbage on the bus: nothing dies of it, nothing of it reaches a provider, all of it can be read."""

import json
import secrets

import pytest

from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import PUSHES, REGISTRAR
from pusher.simulators.stage import AppKind
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
