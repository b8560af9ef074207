"""Canaries in every credential and token, looked for in all that Pusher writes, shows or keeps, at DEBUG as well."""

import base64
import json
from urllib.parse import quote

import pytest
import redis

from pusher.bus.topology import PUSHES
from pusher.simulators.misbehaviour import Answer, Silent
from pusher.simulators.stage import AppKind
from tests.acceptance.system import running_system
from tests.integration.http2.connect_proxy import ConnectProxy
from tests.support.child import serving
from tests.support.couchdb import PASSWORD as DOCUMENTS_PASSWORD
from tests.support.redis import RedisServer
from tests.support.until import until

BUS, REDIS, PROXY = "canary-of-the-bus", "canary-of-redis", "canary-of-the-proxy"
LEGACY_KEY = "AIzaCanaryOfALegacyKey00000000000000000"
CALLER = "+4930canary4711"


@pytest.fixture(scope="module")
def own_redis():
    """A Redis that wants a password."""
    yield from serving(RedisServer())


@pytest.fixture(scope="module")
def system(tmp_path_factory, rabbitmq, own_redis, couchdb_server):
    """Everything, with a password everywhere and all log lines there are."""
    rabbitmq.start()
    couchdb_server.start()
    couchdb_server.reset()
    rabbitmq.eval(f'catch rabbit_auth_backend_internal:add_user(<<"canary">>, <<"{BUS}">>, <<"tests">>)')
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("requirepass", REDIS)
    login = base64.b64encode(f"user:{PROXY}".encode()).decode()
    with rabbitmq.vhost() as url, ConnectProxy(authorization=f"Basic {login}") as proxy:
        every = '<<".*">>'
        vhost = url.rpartition("/")[2]
        rabbitmq.eval(
            "rabbit_auth_backend_internal:set_permissions("
            f'<<"canary">>, <<"{vhost}">>, {every}, {every}, {every}, <<"tests">>)'
        )
        environment = {
            "PUSHER_LOG_LEVEL": "DEBUG",
            "PUSHER_LOG_FORMAT": "json",
            "PUSHER_PROXY_URL": f"http://user:{PROXY}@127.0.0.1:{proxy.port}",
        }
        with running_system(
            tmp_path_factory.mktemp("secrets"),
            url.replace("guest:guest", f"canary:{BUS}"),
            own_redis.url.replace("redis://", f"redis://:{REDIS}@"),
            documents_url=couchdb_server.url,
            environment=environment,
        ) as made:
            yield made


@pytest.fixture(scope="module")
def secrets(system):
    """Let everything happen that handles a secret, and return all secrets by name."""
    stage = system.stage
    document = system.documents.read("system_config", "pusher")
    system.documents.save("system_config", {**document, "org.legacy": {"firebase": {"api_key": LEGACY_KEY}}})
    found = {
        "bus": BUS,
        "redis": REDIS,
        "proxy": PROXY,
        "documents": DOCUMENTS_PASSWORD,
        "documents, quoted": quote(DOCUMENTS_PASSWORD, safe=""),
        "legacy key": LEGACY_KEY,
        "caller": CALLER,
        "APNs key": stage.key.pem.splitlines()[2],
        "certificate's key": stage.certificate.pem[stage.certificate.pem.index("PRIVATE KEY") :].splitlines()[2],
        "service account": stage.account.fields["private_key"].splitlines()[2],
    }

    def call(name, handset, **extra):
        made = system.call(handset, **{"Alert-Params": [CALLER], "Alert-Body": CALLER, **extra})
        found.update({f"token, {name}": handset.token, f"registration, {name}": made.registration_token})
        return made

    for kind in AppKind:
        assert call(kind, stage.handset(kind)).answer(10.0)["Push-Status"] == "registered"
    for reason, provider, answer, kind in (
        ("retried", stage.apns, Answer(status=503, reason="ServiceUnavailable"), AppKind.APPLE_KEY),
        ("refused", stage.fcm, Answer(status=400, reason="INVALID_ARGUMENT"), AppKind.FIREBASE),
    ):
        handset = stage.handset(kind)
        provider.next(answer, token=handset.token)
        assert call(reason, handset).answer(20.0)
    dead = stage.handset(AppKind.APPLE_KEY)
    stage.apns.kill_token(dead.token)
    assert call("dead", dead).answer(10.0)["Push-Reason"] == "dead_token"
    for name, extra in (("odd", {"Token-ID": "canary/../odd token"}), ("legacy", {"Token-App": "org.legacy"})):
        assert call(name, stage.handset(AppKind.FIREBASE), **extra).answer(10.0)["Push-Status"] == "failed"
    found["token, odd"] = "canary/../odd token"
    call("garbled", stage.handset(AppKind.APPLE_KEY), Badge="many")
    stage.publisher.publish(PUSHES, "notification.push.apple.x", b"{ canary-in-no-json", content_type="text/plain")
    found["no JSON"] = "canary-in-no-json"
    until(lambda: system.run("pusher", "dead", "list").stdout.startswith("ID") and _letters(system, 2))
    sleeping = stage.handset(AppKind.APPLE_KEY, wakes=False)
    call("sleeping", sleeping, Expires=60)
    until(lambda: "1 waiting" in system.run("pusher", "waits", "list").stdout)
    found["JWT"] = next(r.header("authorization") for r in stage.apns.requests if r.header("authorization")).split()[1]
    found["access token"] = stage.fcm.requests[0].header("authorization").split()[1]
    return found


def _letters(system, count):
    lines = system.run("pusher", "dead", "list").stdout.splitlines()[1:-1]
    return len(lines) >= count and [line.split()[0] for line in lines]


def inspect(system):
    """Return a command that ends as soon as the worker has answered."""
    return ("celery", "-A", "tasks.app", "inspect", "-t", "20", "-d", system.worker)


def found_in(text, secrets):
    """Return the names of the secrets that `text` holds, as they are or as JSON writes them."""
    return sorted(name for name, secret in secrets.items() if secret in text or json.dumps(secret)[1:-1] in text)


def test_no_log_holds_a_secret_at_debug(system, secrets):
    logs = system.log("listener") + system.log("worker")
    assert "DEBUG" in logs
    assert "push accepted" in logs
    assert found_in(logs, secrets) == []


#: `dead show` leaves names and numbers of callers readable (docs/operating.md).
SHOWN = {("pusher", "dead", "show"): ["caller"]}


def test_no_command_shows_a_secret(system, secrets):
    commands = [
        ("pusher", "waits", "list"),
        ("pusher", "dead", "list"),
        *(("pusher", "dead", "show", letter) for letter in _letters(system, 2)),
        ("pusher", "check", "--json"),
        ("pusher", "maintenance", "list-apps"),
        ("pusher", "maintenance", "list-user-agents"),
        *(("pusher", "maintenance", "show-app", app) for app in (*AppKind, "org.legacy")),
        *((*inspect(system), what) for what in ("conf", "stats", "report", "active_queues")),
        ("celery", "-A", "tasks.app", "report"),
    ]
    shown = {}
    for command in commands:
        done = system.run(*command, check=False)
        found = found_in(done.stdout + done.stderr, secrets)
        if found != SHOWN.get(command[:3], []) and found:
            shown[" ".join(command)] = found
    assert shown == {}


def test_celery_shows_tasks_that_run_or_wait_without_their_secrets(system, secrets):
    later, running = (system.stage.handset(AppKind.APPLE_KEY) for _ in range(2))
    answer = Answer(status=503, reason="Shutdown", headers=(("retry-after", "30"),))
    system.stage.apns.next(answer, token=later.token)
    found = {"caller": CALLER, "scheduled": later.token, "running": running.token}
    calls = [system.call(later, **{"Alert-Params": [CALLER], "Expires": 60})]
    until(lambda: "push will be retried" in system.log("worker").partition(calls[0].call_id)[2])
    done = system.run(*inspect(system), "scheduled")
    assert "pusher.push.deliver" in done.stdout
    assert found_in(done.stdout + done.stderr, secrets | found) == []
    # Until it is given up after five seconds and tried again, for some time.
    system.stage.apns.always(Silent(), token=running.token)
    calls.append(system.call(running, **{"Alert-Params": [CALLER], "Expires": 60}))
    until(lambda: any(request.mentions(running.token) for request in system.stage.apns.requests))
    for what in ("active", "reserved"):
        done = system.run(*inspect(system), what)
        found |= {f"registration {call.msg_id}": call.registration_token for call in calls}
        assert found_in(done.stdout + done.stderr, secrets | found) == []


#: What stands in Redis in clear (docs/reference/redis-keys.md): the answer to a call names its push token, and a
#: provider token is shared to be used. Every other key and value holds digests.
IN_REDIS = {
    "pusher:wait:": {"token, sleeping", "registration, sleeping"},
    "pusher:shared:apple:": {"JWT"},
    "pusher:shared:firebase:": {"access token"},
}


def test_redis_holds_only_the_secrets_that_it_needs(system, secrets):
    with redis.Redis.from_url(system.environment["PUSHER_REDIS_URL"], decode_responses=True) as client:
        for key in client.scan_iter("*"):
            assert found_in(key, secrets) == [], key
            read = {"string": client.get, "hash": client.hgetall, "zset": lambda k: client.zrange(k, 0, -1)}
            held = found_in(str(read[client.type(key)](key)), secrets)
            allowed = next((names for start, names in IN_REDIS.items() if key.startswith(start)), set())
            assert set(held) <= allowed, key


def test_no_process_shows_a_secret_in_its_command_line(system, secrets):
    assert found_in(" ".join(system.command_lines()), secrets) == []


def test_the_files_that_pusher_leaves_hold_no_secret(system, secrets):
    left = [path for path in system.folder.iterdir() if path.is_file()]
    assert [path.name for path in left if found_in(path.read_text(errors="replace"), secrets)] == []
