"""Broker, Redis and CouchDB over TLS, each with a password, and providers by a proxy that wants one."""

import base64
from urllib.parse import quote, urlsplit

import pytest
import redis

from pusher.registration.device import Device
from pusher.simulators.misbehaviour import Answer
from pusher.simulators.stage import AppKind
from tests.acceptance.system import System, running_system
from tests.integration.http2.connect_proxy import ConnectProxy
from tests.support.child import port_of, reserve_port
from tests.support.couchdb import PASSWORD as COUCHDB_PASSWORD
from tests.support.until import until

#: Characters that a URL needs encoded, around words that are looked for.
BROKER, REDIS, PROXY = "canarybroker/@:1", "canaryredis#?2", "canaryproxy@/3"
CANARIES = [
    *("canarybroker", "canaryredis", "canaryproxy"),
    *(COUCHDB_PASSWORD, quote(COUCHDB_PASSWORD, safe="")),
    base64.b64encode(f"pusher:{PROXY}".encode()).decode(),
]


def with_user(url: str, user: str, password: str) -> str:
    """Return `url` with that user and no other."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def leaks(text: str) -> list[str]:
    """Return the passwords that can be read in `text`."""
    return [canary for canary in CANARIES if canary in text]


@pytest.fixture(scope="module")
def system(tmp_path_factory, rabbitmq, redis_server, couchdb_server):
    """Everything runs, and nothing of ours is without TLS."""
    rabbitmq.start()
    redis_server.start()
    redis_server.flush()
    couchdb_server.start()
    couchdb_server.reset()
    expected = "Basic " + base64.b64encode(f"pusher:{PROXY}".encode()).decode()
    with (
        rabbitmq.vhost() as bus_url,
        rabbitmq.user("kazoo", BROKER, bus_url),
        redis.Redis(port=redis_server.port) as administrator,
        ConnectProxy(authorization=expected) as proxy,
    ):
        administrator.acl_setuser("pusher", enabled=True, passwords=[f"+{REDIS}"], keys=["*"], commands=["+@all"])
        with running_system(
            tmp_path_factory.mktemp("tls"),
            with_user(rabbitmq.tls_url(bus_url, "localhost"), "kazoo", BROKER),
            with_user(redis_server.tls_url("localhost"), "pusher", REDIS),
            documents_url=couchdb_server.tls_url,
            authorities=[server.authority.ca_file for server in (rabbitmq, redis_server, couchdb_server)],
            environment={"PUSHER_PROXY_URL": f"http://pusher:{quote(PROXY, safe='')}@127.0.0.1:{proxy.port}"},
        ) as made:
            yield made
        administrator.acl_deluser("pusher")


@pytest.mark.parametrize("kind", AppKind)
def test_a_call_is_answered(system, kind):
    answer = system.call(system.stage.handset(kind)).answer(10.0)
    assert answer["Push-Status"] == "registered"


def test_a_push_is_retried_through_celery_s_own_connections(system):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    system.stage.apns.next(Answer(status=503, reason="ServiceUnavailable"), token=handset.token)
    assert system.call(handset).answer(20.0)["Push-Status"] == "registered"
    assert len(handset.pushed_at) == 1


def test_a_phone_is_learned(system, couchdb_server):
    handset = system.stage.handset(AppKind.FIREBASE)
    device = Device(account_id=handset.account_id, device_id=handset.device_id)
    couchdb_server.create(device.database)
    couchdb_server.put(device.database, {"_id": device.device_id, "pvt_type": "device"})
    handset.register()
    until(lambda: "push" in couchdb_server.get(device.database, device.device_id))


def test_check_finds_everything_well(system):
    done = system.run("pusher", "check", check=False)
    assert [line for line in done.stdout.splitlines() if not line.startswith("ok ")] == []


def inspect(system) -> tuple[str, ...]:
    """Return a command that ends as soon as the worker has answered, if that takes a busy machine some seconds."""
    return ("inspect", "-t", "20", "-d", system.worker)


def test_flower_and_celery_s_commands_reach_the_workers(system):
    system.start_flower()
    system.stop("flower")
    for command in ((*inspect(system), "ping"), (*inspect(system), "conf"), ("report",)):
        system.run("celery", "-A", "tasks.app", *command)


@pytest.mark.parametrize("command", [("worker", "-P", "threads"), ("inspect", "ping"), ("report",)])
def test_a_ca_file_that_cannot_be_used_ends_celery_with_one_line(system, monkeypatch, command):
    (system.folder / "empty.pem").touch()
    monkeypatch.setitem(system.environment, "PUSHER_CA_FILE", "empty.pem")
    done = system.run("celery", "-A", "tasks.app", *command, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: PUSHER_CA_FILE: empty.pem: holds no certificate"


def test_no_password_can_be_read_anywhere(system):
    assert system.call(system.stage.handset(AppKind.APPLE_KEY)).answer(10.0)
    shown = [system.log(name) for name in ("listener", "worker", "flower")] + system.command_lines()
    for command in (
        ("pusher", "check"),
        ("pusher", "waits", "list"),
        ("celery", "-A", "tasks.app", "report"),
        ("celery", "-A", "tasks.app", *inspect(system), "conf"),
        ("celery", "-A", "tasks.app", *inspect(system), "stats"),
    ):
        done = system.run(*command, check=False)
        assert done.stdout
        shown += [done.stdout, done.stderr]
    assert "push accepted" in shown[1]
    assert [leaks(text) for text in shown] == [[]] * len(shown)


def test_no_password_can_be_read_while_nothing_can_be_reached(system, monkeypatch):
    with reserve_port() as holder:
        for name in ("BUS", "REDIS", "DOCUMENTS", "PROXY"):
            url = system.environment[f"PUSHER_{name}_URL"]
            monkeypatch.setitem(system.environment, f"PUSHER_{name}_URL", moved(url, port_of(holder)))
        shown = told_by_all(system)
    assert "refused" in shown
    assert leaks(shown) == []


def test_no_password_can_be_read_while_nobody_is_trusted(system, monkeypatch):
    monkeypatch.setitem(system.environment, "PUSHER_CA_FILE", "")
    shown = told_by_all(system)
    for process in ("listener", "worker"):
        assert "its certificate is not accepted: " in system.log(process)
    assert leaks(shown) == []


def moved(url: str, port: int) -> str:
    """Return `url` with another port."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{port}").geturl()


def told_by_all(system: System) -> str:
    """Start everything again in an environment where it reaches nothing; return what it says, and all commands."""
    system.stop_processes()
    system.start_listener(until_logged=("bus connection lost, reconnecting", 6))
    system.start_worker(until_logged=("Cannot connect to", 2))
    commands = (("pusher", "check"), ("pusher", "dead", "list"), ("celery", "-A", "tasks.app", "inspect", "ping"))
    ends = [system.run(*command, check=False) for command in commands]
    assert all(done.returncode for done in ends)
    assert all(system.alive(name) for name in ("listener", "worker"))
    system.stop_processes()
    return "".join([system.log("listener"), system.log("worker"), *(done.stdout + done.stderr for done in ends)])
