"""No token, key or password can be read in what the processes write, show or tell."""

import json
import threading

import pytest
from celery import Celery

from pusher.simulators.misbehaviour import Answer, Delay
from pusher.simulators.stage import AppKind
from tests.acceptance.system import BIN
from tests.support.until import until

PASSWORD = "guest:guest"


@pytest.fixture(scope="module")
def secrets_of_a_run(system):
    """Let everything happen that handles a secret, and return all secrets by name."""
    found = {"password": PASSWORD}
    for kind in AppKind:
        handset = system.stage.handset(kind)
        call = system.call(handset)
        assert call.answer(5.0)
        found |= {f"token {kind}": handset.token, f"registration token {kind}": call.registration_token}
    retried = system.stage.handset(AppKind.APPLE_KEY)
    system.stage.apns.next(Answer(status=503, reason="ServiceUnavailable"), token=retried.token)
    assert system.call(retried).answer(20.0)
    refused = system.stage.handset(AppKind.FIREBASE)
    system.stage.fcm.next(Answer(status=400, reason="INVALID_ARGUMENT"), token=refused.token)
    call = system.call(refused)
    assert call.answer(5.0)
    dead = system.stage.handset(AppKind.APPLE_KEY)
    dead.register()
    until(lambda: dead.device_id in system.log("worker"))
    system.stage.apns.kill_token(dead.token)
    assert system.call(dead).answer(5.0)
    garbled = system.stage.handset(AppKind.APPLE_KEY)
    system.call(garbled, Badge="many")
    until(lambda: "Badge" in system.run("pusher", "dead", "list").stdout)
    found |= {"retried": retried.token, "refused": refused.token, "dead": dead.token, "garbled": garbled.token}
    jwt = next(
        request.header("authorization") for request in system.stage.apns.requests if request.header("authorization")
    )
    access = next(request.header("authorization") for request in system.stage.fcm.requests)
    found |= {"JWT": jwt.split()[1], "access token": access.split()[1]}
    for name, pem in (
        ("APNs key", system.stage.key.pem),
        ("certificate", system.stage.certificate.pem[system.stage.certificate.pem.index("PRIVATE KEY") :]),
        ("service account", system.stage.account.fields["private_key"]),
    ):
        found[name] = pem.splitlines()[2]
    return found


def found_in(text, secrets):
    return [name for name, secret in secrets.items() if secret in text]


def test_the_logs_hold_no_secret(system, secrets_of_a_run):
    logs = system.log("listener") + system.log("worker")
    assert "push accepted" in logs
    assert found_in(logs, secrets_of_a_run) == []


def test_the_listings_hold_no_secret(system, secrets_of_a_run):
    commands = [
        ("waits", "list"),
        ("dead", "list"),
        ("maintenance", "list-apps"),
        *(("maintenance", "show-app", kind) for kind in AppKind),
        ("check",),
    ]
    letters = [line.split()[0] for line in system.run("pusher", "dead", "list").stdout.splitlines()[1:-1]]
    commands += [("dead", "show", letter) for letter in letters]
    for command in commands:
        done = system.run("pusher", *command, check=False)
        assert found_in(done.stdout + done.stderr, secrets_of_a_run) == [], command


def test_tasks_as_flower_sees_them_hold_no_secret(system, secrets_of_a_run):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    system.stage.apns.next(Answer(status=503, reason="ServiceUnavailable"), token=handset.token)
    system.stage.apns.next(Delay(delay_s=4.0), token=handset.token)
    app = Celery(broker=system.bus_url)
    app.conf.broker_transport_options = {}
    events = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": lambda event: events.append(dict(event))})
        capture = threading.Thread(target=_capture, args=(receiver,))
        capture.start()
        # The worker's heartbeat shows that no event is missed any more.
        until(lambda: events)
        call = system.call(handset)
        inspect = app.control.inspect(timeout=0.5)
        active = until(lambda: [task for tasks in (inspect.active() or {}).values() for task in tasks], seconds=20)
        assert call.answer(20.0)
        until(lambda: any(event["type"] == "task-succeeded" for event in events), seconds=20)
        receiver.should_stop = True
        capture.join(10)
    app.close()
    received = [event for event in events if event["type"] == "task-received"]
    assert len(received) >= 2, "the first attempt and the retry"
    secrets = secrets_of_a_run | {"this token": handset.token, "this registration": call.registration_token}
    assert found_in(json.dumps(active, default=str), secrets) == []
    assert found_in(json.dumps(events, default=str), secrets) == []


def _capture(receiver):
    while not receiver.should_stop:
        try:
            receiver.capture(limit=None, timeout=0.5)
        except TimeoutError:
            continue


def test_process_titles_hold_no_secret(system, secrets_of_a_run):
    assert BIN.exists()
    titles = system.command_lines()
    assert any("listen" in title for title in titles)
    assert found_in(" ".join(titles), secrets_of_a_run) == []
