"""Processes, credentials and apps come and go while people call, and no call is lost."""

import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from pusher.simulators.json_web_token import JSONWebToken
from pusher.simulators.misbehaviour import Answer, Delay
from pusher.simulators.stage import AppKind
from tests.acceptance.system import PATIENCE_S, running_system
from tests.support.until import until

#: A provider this slow is still waited for: 5 seconds are the limit.
SLOW = Delay(delay_s=4.0)
#: Seconds in which every process ends, whatever hangs; docs/operating.md has people wait for half a minute.
GRACE_S = 28.0


@pytest.fixture(scope="module")
def system(tmp_path_factory, rabbitmq, redis_server, couchdb_server):
    """Listener, worker, providers and phones, on servers that can be made to hang, for calls that last."""
    rabbitmq.start()
    redis_server.start()
    redis_server.flush()
    couchdb_server.start()
    couchdb_server.reset()
    folder = tmp_path_factory.mktemp("lifecycle")
    with (
        rabbitmq.vhost() as bus_url,
        running_system(folder, bus_url, redis_server.url, documents_url=couchdb_server.url, wake_window_s=90.0) as made,
    ):
        for kind in AppKind:
            # Settings are read and connections made.
            assert made.call(made.stage.handset(kind)).answer(10.0)
        yield made


@pytest.fixture
def fault(request, system, rabbitmq, redis_server, couchdb_server):
    """The fault that the test's parameter names, as a context manager."""
    return {
        "nothing": nullcontext,
        "Redis hangs": redis_server.paused,
        "CouchDB hangs": couchdb_server.paused,
        "the broker hangs": lambda: hanging(rabbitmq),
        "the broker is away": lambda: broker_away(system, rabbitmq),
        "Redis is away": lambda: away(redis_server),
    }[request.param]


@contextmanager
def hanging(server) -> Iterator[None]:
    """Have the server hang meanwhile: connections are taken, nothing is answered."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@contextmanager
def away(server) -> Iterator[None]:
    """Have the server stopped meanwhile."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def broker_away(system, rabbitmq) -> Iterator[None]:
    """Have the broker stopped meanwhile, and wait until the listener is back at all its queues.

    It binds them anew: the exchanges are transient, and what comes before is lost as in any restart of RabbitMQ.
    """
    consuming = system.log("listener").count(" INFO consuming ")
    with away(rabbitmq):
        yield
    until(lambda: system.log("listener").count(" INFO consuming ") >= consuming + 3, seconds=PATIENCE_S)


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The URL of a broker that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"amqp://guest:guest@127.0.0.1:{server.getsockname()[1]}//"


def start(system, name) -> None:
    """Start a process again."""
    if name == "listener":
        system.start_listener()
    else:
        system.start_worker()


def stopped_in_time(system, name, number=signal.SIGTERM, status=0) -> bool:
    """End a process by a signal and tell whether it went with `status` and within its time."""
    began = time.monotonic()
    assert system.stop(name, number) == status
    took_s = time.monotonic() - began
    assert took_s < GRACE_S, took_s
    return True


def at_provider(system, handset):
    """Return the pushes to a phone that have reached its provider, answered or not."""
    provider = system.stage.fcm if handset.app_id == AppKind.FIREBASE else system.stage.apns
    return [request for request in provider.requests if request.mentions(handset.token)]


def under_way(system, kind, count=20):
    """Return phones and calls to them whose pushes the provider has and answers only after a while."""
    provider = system.stage.fcm if kind is AppKind.FIREBASE else system.stage.apns
    handsets = [system.stage.handset(kind, wakes=False) for _ in range(count)]
    for handset in handsets:
        provider.next(SLOW, token=handset.token)
    calls = [system.call(handset) for handset in handsets]
    until(lambda: all(at_provider(system, handset) for handset in handsets), seconds=PATIENCE_S)
    return handsets, calls


def wake_all(system, handsets, calls) -> None:
    """Have the phones register, and see every call answered once and every phone pushed to once."""
    until(lambda: system.proxy.consuming, seconds=PATIENCE_S)
    for handset in handsets:
        handset.register()
    answers = [call.answer(PATIENCE_S) for call in calls]
    assert [answer and answer["Push-Status"] for answer in answers] == ["registered"] * len(calls)
    # Whatever came to the worker a second time came before this call.
    last = system.stage.handset(AppKind.APPLE_CERTIFICATE)
    assert system.call(last).answer(PATIENCE_S)
    assert [len(call.answers) for call in calls] == [1] * len(calls)
    assert [len(at_provider(system, handset)) for handset in handsets] == [1] * len(handsets)


@pytest.mark.parametrize(
    "fault",
    ["nothing", "Redis hangs", "CouchDB hangs", "the broker hangs", "the broker is away"],
    indirect=True,
)
def test_a_worker_that_is_stopped_waits_for_slow_providers_and_loses_no_call(system, fault):
    handsets, calls = under_way(system, AppKind.APPLE_CERTIFICATE)
    with fault():
        assert stopped_in_time(system, "worker")
    system.start_worker()
    wake_all(system, handsets, calls)


def test_a_worker_ends_in_time_though_the_broker_takes_no_answer_to_the_calls_that_failed(system, rabbitmq):
    handsets = [system.stage.handset(AppKind.APPLE_CERTIFICATE) for _ in range(10)]
    for handset in handsets:
        system.stage.apns.next(Answer(status=400, reason="BadTopic", delay_s=4.0), token=handset.token)
        system.call(handset)
    until(lambda: all(at_provider(system, handset) for handset in handsets))
    with hanging(rabbitmq):
        assert stopped_in_time(system, "worker")
    system.start_worker()


@pytest.mark.parametrize("fault", ["nothing", "CouchDB hangs", "the broker hangs"], indirect=True)
def test_a_listener_that_is_stopped_while_calls_come_in_loses_none(system, fault):
    until(lambda: system.proxy.consuming, seconds=PATIENCE_S)
    handsets = [system.stage.handset(AppKind.APPLE_CERTIFICATE, wakes=False) for _ in range(60)]
    calls = [system.call(handset) for handset in handsets]
    with fault():
        assert stopped_in_time(system, "listener")
    system.start_listener()
    until(lambda: all(at_provider(system, handset) for handset in handsets), seconds=PATIENCE_S)
    wake_all(system, handsets, calls)


@pytest.mark.parametrize("fault", ["Redis hangs", "Redis is away"], indirect=True)
@pytest.mark.parametrize("name", ["listener", "worker"])
def test_processes_that_are_stopped_without_redis_end_in_time_and_every_phone_is_pushed_to(system, name, fault):
    until(lambda: system.proxy.consuming, seconds=PATIENCE_S)
    handsets = [system.stage.handset(AppKind.APPLE_CERTIFICATE, wakes=False) for _ in range(30)]
    for handset in handsets:
        system.call(handset)
    with fault():
        assert stopped_in_time(system, name)
    start(system, name)
    until(lambda: all(at_provider(system, handset) for handset in handsets), seconds=PATIENCE_S)


@contextmanager
def calling(system, kind, pause_s=0.05, **phone):
    """Have new phones called all the time, and yield them and their calls as they become more."""
    handsets, calls, ended = [], [], threading.Event()

    def keep_calling() -> None:
        while not ended.wait(pause_s):
            handset = system.stage.handset(kind, **phone)
            handsets.append(handset)
            calls.append(system.call(handset))

    caller = threading.Thread(target=keep_calling)
    caller.start()
    try:
        until(lambda: any(call.answers for call in calls), seconds=PATIENCE_S)
        yield handsets, calls
    finally:
        ended.set()
        caller.join()


def outcomes(calls) -> list[str]:
    """Return how each call was answered, once."""
    answers = [call.answer(PATIENCE_S) or {} for call in calls]
    assert [len(call.answers) for call in calls] == [1] * len(calls)
    return [answer.get("Push-Reason") or answer["Push-Status"] for answer in answers]


def test_a_rolling_restart_loses_no_call_of_twenty_a_second_and_no_phone_is_pushed_to_twice(system):
    with calling(system, AppKind.APPLE_CERTIFICATE, wake_delay_s=0.2) as (handsets, calls):
        system.start_listener("second-listener")
        assert stopped_in_time(system, "listener")
        system.start_worker("second-worker")
        assert stopped_in_time(system, "worker")
        system.start_listener()
        assert stopped_in_time(system, "second-listener")
        system.start_worker()
        assert stopped_in_time(system, "second-worker")
        reached = len(calls)
        until(lambda: len(calls) > reached + 20)
    assert set(outcomes(calls)) == {"registered"}
    assert [len(at_provider(system, handset)) for handset in handsets] == [1] * len(handsets)


NUMBERS = itertools.count(1)


def renew_certificate(system) -> str:
    """Change the app's certificate as an operator does, and return what tells the new one."""
    bundle_id = f"com.example.renewed{next(NUMBERS)}"
    made = system.stage.authority.client_certificate(topics=(AppKind.APPLE_CERTIFICATE.topic,), bundle_id=bundle_id)
    command = ("add-apple-app", AppKind.APPLE_CERTIFICATE, str(made.path), system.stage.apns.host)
    system.run("pusher", "maintenance", *command)
    return bundle_id


def renew_key(system) -> str:
    """The same for a key."""
    made = system.stage.authority.auth_key(f"KEY76543{next(NUMBERS):02}", "TEAM123456")
    system.stage.apns.add_key(made.key_id, made.team_id, made.public_key)
    command = ("add-apple-key", AppKind.APPLE_KEY, str(made.path), made.key_id, made.team_id, system.stage.apns.host)
    system.run("pusher", "maintenance", *command)
    return made.key_id


def used(system, request) -> str:
    """Return by which credential a push to APNs went out: the certificate's subject, or the key's header."""
    token = request.header("authorization")
    if token is not None:
        return str(JSONWebToken.parse(token.removeprefix("bearer ")).header["kid"])
    return connection_of(system, request).client_subject or ""


def connection_of(system, request):
    """Return the connection that a push came on, as APNs knows it now."""
    return next(each for each in system.stage.apns.connections if each.connection_id == request.connection_id)


@pytest.mark.parametrize(
    ("kind", "renew"),
    [(AppKind.APPLE_CERTIFICATE, renew_certificate), (AppKind.APPLE_KEY, renew_key)],
    ids=["certificate", "key"],
)
def test_a_new_credential_is_used_at_once_while_pushes_under_way_end_on_the_old_connection(system, kind, renew):
    # A key of this test's own: for one that other tests used, APNs may refuse a further token for 20 minutes.
    renew(system)
    system.stage.apns.always(Delay(delay_s=2.0))
    with calling(system, kind, pause_s=0.1) as (handsets, calls):
        mark = renew(system)
        changed = len(calls)
        until(lambda: len(calls) > changed + 20)
    assert set(outcomes(calls)) == {"registered"}
    requests = [request for handset in handsets for request in at_provider(system, handset)]
    assert len(requests) == len(handsets)
    new = [request for request in requests if mark in used(system, request)]
    old = [request for request in requests if request not in new]
    first, last = min(request.at for request in new), max(request.at for request in old)
    # Some were under way when the change came, and none was sent by the old credential after it.
    assert last - 2.0 < first
    assert last < first + 0.5
    assert changed - 20 < len(old) <= changed + 10
    assert {request.connection_id for request in old}.isdisjoint(request.connection_id for request in new)
    for request in old:
        until(lambda request=request: connection_of(system, request).closed_at)


def test_an_app_disabled_or_removed_meanwhile_has_its_pushes_under_way_answered_and_gets_no_more(system):
    before = system.documents.read("system_config", "pusher")
    for command, reason in (("disable-app", "app_disabled"), ("remove-app", "unknown_app")):
        system.stage.fcm.always(Delay(delay_s=2.0))
        with calling(system, AppKind.FIREBASE, pause_s=0.1) as (_, calls):
            system.run("pusher", "maintenance", command, AppKind.FIREBASE)
            changed = len(calls)
            until(lambda changed=changed, calls=calls: len(calls) > changed + 20)
        seen = outcomes(calls)
        refused = seen.index(reason)
        assert seen == ["registered"] * refused + [reason] * (len(seen) - refused)
        assert refused <= changed + 10
        assert calls[refused - 1].answers[0][0] > calls[refused].answers[0][0], "pushes under way ended later"
        now = system.documents.read("system_config", "pusher")
        system.documents.save("system_config", {**before, "_rev": now["_rev"]})
        # A command that changes nothing announces what was written behind its back.
        system.run("pusher", "maintenance", "enable-app", AppKind.APPLE_KEY)
        system.stage.fcm.clear()
        again = system.call(system.stage.handset(AppKind.FIREBASE))
        assert outcomes([again]) == ["registered"]


@pytest.mark.parametrize(
    ("name", "signals", "status"),
    [
        ("listener", (signal.SIGINT,), 0),
        ("listener", (signal.SIGTERM, signal.SIGTERM), 0),
        # Celery's status for Ctrl-C; it has finished its tasks all the same.
        ("worker", (signal.SIGINT,), 1),
        ("worker", (signal.SIGTERM, signal.SIGTERM), 0),
    ],
)
def test_ctrl_c_and_a_second_sigterm_end_a_process_as_well_as_one_sigterm(system, name, signals, status):
    handsets, calls = under_way(system, AppKind.APPLE_CERTIFICATE)
    stops = {"listener": "listener stops", "worker": "Warm shutdown"}[name]
    before = system.log(name).count(stops)
    for number in signals[:-1]:
        system.signal(name, number)
        until(lambda: system.log(name).count(stops) > before)
    assert stopped_in_time(system, name, signals[-1], status)
    start(system, name)
    wake_all(system, handsets, calls)


@pytest.mark.parametrize("broker", ["away", "silent"])
@pytest.mark.parametrize("name", ["early-listener", "early-worker"])
def test_a_process_that_never_reached_its_broker_ends_as_well(system, name, broker, silent_url, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        away_url = f"amqp://guest:guest@127.0.0.1:{closed.getsockname()[1]}//"
    monkeypatch.setitem(system.environment, "PUSHER_BUS_URL", away_url if broker == "away" else silent_url)
    if name == "early-listener":
        system.start_listener(name, until_logged=("bus connection lost, reconnecting", 1))
    else:
        system.start_worker(name, until_logged=("Cannot connect to", 1))
    assert stopped_in_time(system, name)


def test_a_listener_that_is_stopped_while_it_starts_ends_as_well(system, silent_url, monkeypatch):
    monkeypatch.setitem(system.environment, "PUSHER_BUS_URL", silent_url)
    system.start_listener("hasty-listener", until_logged=("listener starts", 1))
    assert stopped_in_time(system, "hasty-listener")
