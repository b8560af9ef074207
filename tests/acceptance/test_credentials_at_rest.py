"""PUSHER_SECRET_KEY from the first day: saved encrypted, pushed with, rotated, and taken away again."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pusher.documents.sealed import name_of
from pusher.simulators.stage import AppKind
from tests.acceptance.system import PATIENCE_S, System, running_system
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer
from tests.support.until import until

GUIDE = (Path(__file__).parents[2] / "docs/certificates.md").read_text()
SECRETS = ("PRIVATE KEY", "BEGIN CERTIFICATE", "private_key_id")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, rabbitmq: RabbitMQ, redis_server: RedisServer) -> Iterator[System]:
    """Listener, worker, providers and phones, all running; credentials are plain, as Kazoo saves them."""
    rabbitmq.start()
    redis_server.start()
    redis_server.flush()
    folder = tmp_path_factory.mktemp("at-rest")
    with rabbitmq.vhost() as bus_url, running_system(folder, bus_url, redis_server.url) as made:
        yield made


def new_key(system: System) -> str:
    """Make a key as an operator does."""
    return system.run("pusher", "maintenance", "make-secret-key").stdout.strip()


def restart(system: System, keys: str) -> None:
    """Restart the processes with other keys."""
    system.environment["PUSHER_SECRET_KEY"] = keys
    for name in ("listener", "worker"):
        assert system.stop(name) == 0
    system.start_listener()
    system.start_worker()


def answers(system: System) -> dict[AppKind, str]:
    """Call one phone of each app; return what became of the calls."""
    calls = {kind: system.call(system.stage.handset(kind)) for kind in AppKind}
    said = {kind: call.answer(10.0) for kind, call in calls.items()}
    return {kind: answer.get("Push-Reason", answer["Push-Status"]) for kind, answer in said.items()}


def stored(system: System) -> str:
    """Return the pusher document as JSON."""
    return json.dumps(system.documents.read("system_config", "pusher"))


def secrets_on_disk(system: System) -> list[str]:
    """Return what can be found of any credential in the SQLite file and its companions."""
    files = list(system.folder.glob("pusher.db*"))
    # Not by this process: to close a file of SQLite's drops the locks of this process' own connection to it.
    search = [["grep", "-qaF", secret, *files] for secret in SECRETS]
    return [command[2] for command in search if subprocess.run(command, check=False).returncode == 0]


def wipe(system: System) -> None:
    """Rewrite the SQLite file as the guide says."""
    (line,) = [line.strip() for line in GUIDE.splitlines() if line.strip().startswith("sqlite3 ")]
    command = line.replace("/var/lib/pusher/pusher.db", str(system.folder / "pusher.db"))
    # A process may be reading just now, which keeps the log from being emptied: its output begins with 1.
    until(lambda: subprocess.check_output(command, shell=True, text=True, timeout=PATIENCE_S).startswith("0"))


ACCEPTED = dict.fromkeys(AppKind, "registered")


def test_credentials_are_encrypted_used_rotated_and_decrypted(system: System) -> None:
    # Without a key, everything is as it was.
    assert answers(system) == ACCEPTED
    assert secrets_on_disk(system) == list(SECRETS)

    # With one, what is saved is encrypted, and what was saved before goes on working beside it.
    first = new_key(system)
    restart(system, first)
    stage, kind = system.stage, AppKind.FIREBASE
    system.run("pusher", "maintenance", "add-firebase-app", kind, str(stage.account.path), stage.fcm.host)
    assert stored(system).count("fernet:") == 1
    assert answers(system) == ACCEPTED
    said = system.run("pusher", "maintenance", "encrypt-credentials").stdout
    assert said == f"Key #{name_of(first)}: 2 encrypted, 0 encrypted anew, 1 already encrypted with it.\n"
    assert not [secret for secret in SECRETS if secret in stored(system)]
    assert answers(system) == ACCEPTED
    wipe(system)
    assert secrets_on_disk(system) == []

    # A second key goes before the first one, which is then not needed any more.
    second = new_key(system)
    restart(system, f"{second},{first}")
    assert answers(system) == ACCEPTED
    said = system.run("pusher", "maintenance", "encrypt-credentials").stdout
    assert said == f"Key #{name_of(second)}: 0 encrypted, 3 encrypted anew, 0 already encrypted with it.\n"
    # Processes that have both go on without a restart, and those that never had the first one work as well.
    assert answers(system) == ACCEPTED
    checked = system.run("pusher", "check", check=False).stdout
    assert f"ok      credentials: 3 of 3 encrypted with key #{name_of(second)}\n" in checked
    restart(system, second)
    assert answers(system) == ACCEPTED

    # With the wrong key, these apps fail at once and are told; no process ends.
    restart(system, first)
    problem = f"it is encrypted with key #{name_of(second)}, which is not in PUSHER_SECRET_KEY"
    assert answers(system) == dict.fromkeys(AppKind, "no_credential")
    assert system.log("worker").count("credential cannot be decrypted") == 3
    assert f"The APNs credential fails: {problem}." in system.log("worker")
    assert f"The service account fails: {problem}." in system.log("worker")
    assert system.alive("worker")
    assert system.alive("listener")
    # An app that is added again works at once, without a restart of anything.
    system.run("pusher", "maintenance", "add-firebase-app", kind, str(stage.account.path), stage.fcm.host)
    assert answers(system)[kind] == "registered"

    # And back to what Kazoo can read.
    system.environment["PUSHER_SECRET_KEY"] = f"{first} {second}"
    assert system.run("pusher", "maintenance", "decrypt-credentials").stdout == "3 decrypted, 0 already plain.\n"
    assert answers(system) == ACCEPTED
    before, after = system.stage.pusher_document(), system.documents.read("system_config", "pusher")
    assert {**after, "_rev": None} == {**before, "_rev": None}

    # Nowhere did anybody write a key or a credential.
    logs = system.log("worker") + system.log("listener") + checked
    found = [stage.key.pem.splitlines()[2], stage.account.fields["private_key"].splitlines()[2], first, second, "gAAAA"]
    assert not [secret for secret in found if secret in logs]
