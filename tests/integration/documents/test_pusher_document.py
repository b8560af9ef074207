"""The pusher document of an existing Kazoo: works as it is, and keeps all it has when our commands change it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pusher.documents.couchdb import CouchDBDocuments
from pusher.documents.system_config import SystemConfig
from pusher.push.app import AppleApp, FirebaseApp, ProviderName
from pusher.simulators.authority import Authority
from tests.integration.documents.kazoo_document import ANDROID, OFF, SANDBOX, VOIP, ZONE, leaves, pusher_document
from tests.support.couchdb import CouchDB
from tests.unit.cli.running import Pusher

APPLE, FIREBASE = ProviderName.APPLE, ProviderName.FIREBASE


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> str:
    """What Kazoo's apps reach Apple with."""
    return authority.client_certificate(topics=("org.example.phone.voip",), bundle_id="org.example.phone").pem


@pytest.fixture
def kazoo(couchdb: CouchDB, certificate: str) -> CouchDB:
    """Kazoo's CouchDB."""
    couchdb.create("system_config")
    couchdb.put("system_config", pusher_document(certificate), "pusher")
    return couchdb


@pytest.fixture
def documents(kazoo: CouchDB) -> Iterator[CouchDBDocuments]:
    """The store as a process has it."""
    store = CouchDBDocuments.from_url(kazoo.url, ca_file=None)
    yield store
    store.close()


@pytest.fixture
def pusher(tmp_path: Path, kazoo: CouchDB) -> Pusher:
    """The command, on Kazoo's CouchDB."""
    return Pusher(tmp_path, PUSHER_DOCUMENTS_URL=kazoo.url)


def test_the_document_works_as_it_is_and_is_left_as_it_is(
    documents: CouchDBDocuments, kazoo: CouchDB, certificate: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = kazoo.raw("system_config", "pusher")
    config = SystemConfig(documents)
    assert [rule.name for rule in config.user_agents()] == ["Zoiper", "Linphone", "Any"]
    assert config.app(VOIP, APPLE) == AppleApp(
        app_id=VOIP,
        enabled=True,
        host="api.push.apple.com",
        certificate=certificate,
        topic="org.example.phone.voip",
        headers={"apns_push_type": "voip", "apns_topic": "org.example.phone.voip", "apns-priority": "10"},
    )
    assert config.app(SANDBOX, APPLE) == AppleApp(
        app_id=SANDBOX, host="api.sandbox.push.apple.com", certificate=certificate
    )
    # An empty host is none: that of the default counts, with its port.
    assert config.app(ANDROID, APPLE) == AppleApp(
        app_id=ANDROID, host="api.push.apple.com:443", certificate=certificate
    )
    assert config.app(ANDROID, FIREBASE) == FirebaseApp(app_id=ANDROID, api_key="AAAA-phone")
    assert config.app(OFF, FIREBASE) == FirebaseApp(app_id=OFF, api_key="AAAA-legacy", enabled=False)
    assert config.app("org.example.unknown", FIREBASE) == FirebaseApp(
        app_id="org.example.unknown", api_key="AAAA-legacy"
    )
    assert caplog.records == []
    assert kazoo.raw("system_config", "pusher") == before
    config.close()


def test_a_zone_s_settings_stand_between_the_app_s_and_the_default_s(
    documents: CouchDBDocuments, certificate: str
) -> None:
    config = SystemConfig(documents, zone=ZONE)
    voip, android = config.app(VOIP, APPLE), config.app(ANDROID, APPLE)
    assert isinstance(voip, AppleApp)
    assert isinstance(android, AppleApp)
    assert (voip.topic, voip.host) == ("org.example.phone.voip", "api.push.apple.com")
    assert (android.topic, android.host) == ("org.example.east", "api.push.apple.com:2197")
    assert config.app(ANDROID, FIREBASE) == FirebaseApp(app_id=ANDROID, api_key="AAAA-phone")
    config.close()


def listed(pusher: Pusher, **environment: str) -> list[str]:
    """Return the apps that `list-apps` shows, in its order."""
    said = pusher.done("maintenance", "list-apps", env=environment)
    return [line.split()[0] for line in said.splitlines()[1:]]


def test_neither_a_node_nor_kazoo_s_own_keys_nor_the_zone_are_listed_as_apps(pusher: Pusher) -> None:
    assert listed(pusher, PUSHER_ZONE=ZONE) == ["default", "default", VOIP, SANDBOX, ANDROID, ANDROID, OFF]
    assert pusher.fails("maintenance", "disable-app", "pusher@kazoo.lab.example.com").endswith("is not known")


def test_a_process_is_told_a_zone_by_its_environment(pusher: Pusher) -> None:
    shown = [pusher.done("maintenance", "show-app", "default", env={"PUSHER_ZONE": zone}) for zone in ("", ZONE)]
    assert ["api.push.apple.com:2197" in each for each in shown] == [False, True]
    assert pusher.fails("maintenance", "list-apps", env={"PUSHER_ZONE": "default"}).startswith("PUSHER_ZONE: ")


def test_every_command_keeps_every_key_in_its_place(pusher: Pusher, kazoo: CouchDB, authority: Authority) -> None:
    made = authority.client_certificate(topics=("org.example.phone.voip",), bundle_id="org.example.phone", key="ec")
    key = authority.auth_key("ABCDE12345", "TEAM123456")
    account = authority.service_account("example", "https://127.0.0.1:9/token")
    agents = ("default", "User-Agents")
    #: Each command, and the one value of before that it is there to change.
    commands: dict[tuple[str, ...], tuple[str, ...] | None] = {
        ("add-apple-app", VOIP, str(made.path)): (VOIP, "apple", "certificate"),
        ("add-apple-app", ANDROID, str(made.path), "api.push.apple.com:2197"): (ANDROID, "apple", "host"),
        ("add-apple-key", SANDBOX, str(key.path), key.key_id, key.team_id): None,
        ("add-apple-key", "org.example.new", str(key.path), key.key_id, key.team_id): None,
        ("add-firebase-app", ANDROID, str(account.path)): None,
        ("add-user-agent", "Linphone", "^Lin", "Token-ID=pn-tok"): (*agents, "Linphone", "regex"),
        ("add-user-agent", "New", "^New", "Token-ID=pn-tok"): None,
        ("disable-app", VOIP): (VOIP, "apple", "enabled"),
        ("enable-app", VOIP): (VOIP, "apple", "enabled"),
        ("enable-app", OFF): (OFF, "firebase", "enabled"),
        ("remove-user-agent", "New"): (*agents, "New", "regex"),
        ("remove-app", "org.example.new"): ("org.example.new", "apple", "token_key", "key_id"),
    }
    #: What commands replace or remove beside it.
    replaced = {
        (*agents, "Linphone", "properties", "Token-App"),
        (*agents, "Linphone", "properties", "Token-Type"),
        (ANDROID, "apple", "certificate"),
        (*agents, "New", "properties", "Token-ID"),
        ("org.example.new", "apple", "token_key", "team_id"),
        ("org.example.new", "apple", "token_key", "private_key"),
    }
    for command, changed in commands.items():
        before = leaves(kazoo.raw("system_config", "pusher"))
        pusher.done("maintenance", *command)
        after = leaves(kazoo.raw("system_config", "pusher"))
        gone = {path for path in before if path not in after}
        other = {path for path in before if path in after and after[path] != before[path]}
        assert gone | other <= {changed} | replaced, command
        assert changed is None or changed in gone | other, command
        assert [path for path in after if path in before] == [path for path in before if path in after], command
        assert after != before, command


#: Adds rules as fast as a process can, each by a whole run of the command.
_ADD_MANY = """
import sys
from pusher.cli.main import main
name = sys.argv[1]
for number in range(15):
    sys.argv = ["pusher", "maintenance", "add-user-agent", f"{name}-{number}", "^X", "Token-ID=pn-tok"]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end
"""


def test_commands_of_two_processes_at_once_all_count(kazoo: CouchDB, pusher: Pusher) -> None:
    # Whoever reads while another one saves is overtaken.
    kazoo.misbehave("delay", method="PUT", ms=30)
    puts = sum(request["method"] == "PUT" for request in kazoo.requests())
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _ADD_MANY, name],
            env={"PATH": "/usr/bin:/bin", **pusher.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    rules = kazoo.get("system_config", "pusher")["default"]["User-Agents"]
    assert list(rules)[:3] == ["Zoiper", "Linphone", "Any"]
    assert set(rules) - {"Zoiper", "Linphone", "Any"} == {f"{name}-{n}" for name in "ab" for n in range(15)}
    # They did get in one another's way.
    assert sum(request["method"] == "PUT" for request in kazoo.requests()) - puts > 30
