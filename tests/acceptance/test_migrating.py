"""docs/migrating.md, followed to the letter: from Kazoo's CouchDB and a running bus to woken phones, and back."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu import Connection, Queue

from pusher.simulators.handset import USER_AGENT_RULE, HandsetSimulator
from pusher.simulators.proxy import ProxySimulator
from pusher.simulators.stage import AppKind, Stage
from tests.acceptance.system import BIN
from tests.support.couchdb import CouchDB
from tests.support.terminal import Terminal, commands
from tests.support.until import until

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/migrating.md").read_text()
REALM = "acme.sip.example.com"
#: What each long-running command prints when it is ready, and how often.
READY: dict[str, Callable[[str], bool]] = {
    "listener": lambda output: output.count(" INFO consuming ") == 3,
    "pushes": lambda output: " ready." in output,
    "devices": lambda output: " ready." in output,
}


class Kazoo:
    """A Kazoo with its Erlang pusher, before anybody has heard of ours; and the operator at its terminals."""

    def __init__(self, folder: Path, bus_url: str, redis_url: str, couchdb: CouchDB, stage: Stage) -> None:
        self.couchdb = couchdb
        self.bus_url = bus_url
        self.stage = stage
        self.android = stage.handset(AppKind.FIREBASE, user="2001", realm=REALM)
        self.iphone = stage.handset(AppKind.APPLE_CERTIFICATE, user="2002", realm=REALM)
        #: Registered last before its app was installed anew: its document has another token.
        self.reinstalled = stage.handset(AppKind.FIREBASE, user="2003", realm=REALM)
        self._folder = folder
        self._write_documents()
        (folder / "service-account.json").write_text(json.dumps(dict(stage.account.fields)))
        self._write_stand_ins()
        self._environment = {
            "PATH": f"{folder / 'bin'}:{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            # The guide's hosts are the real providers', whom the system trusts.
            "PUSHER_CA_FILE": str(stage.authority.ca_file),
        }
        #: What stands in the guide and differs from place to place.
        self._here = {
            "amqp://kazoo:secret@broker.example.com:5672//": bus_url,
            "http://kazoo:secret@couchdb.example.com:5984": couchdb.url,
            "redis://127.0.0.1:6379/0": redis_url,
            "0011223344556677889900aabbccddee": self.android.account_id,
            "aabbccddeeff00112233445566778899": self.android.device_id,
        }
        self._main = Terminal(folder, "main", self._environment)
        #: The terminals in which something goes on running.
        self.terminals: dict[str, Terminal] = {}

    def start_erlang_application(self) -> None:
        """Have Kazoo run its own pusher."""
        assert self._main.run("sup kapps_controller start_app pusher")[0] == 0
        assert self.has_queue("pusher_shared_listener")

    def follow(self, heading: str) -> dict[str, str]:
        """Type every command below `heading`; return what those printed that came to an end. None may fail."""
        printed = {}
        for typed in commands(GUIDE, heading):
            command = typed.command
            for there, here in self._here.items():
                command = command.replace(there, here)
            if typed.terminal is None:
                status, printed[typed.command] = self._main.run(command)
                assert status == 0, (typed.command, printed[typed.command])
            else:
                self._leave_running(typed.terminal, command)
        assert printed or self.terminals, f"{heading} has no commands"
        return printed

    def has_queue(self, name: str) -> bool:
        """Tell whether the broker has a queue `name`."""
        with Connection(self.bus_url) as connection:
            try:
                Queue(name, channel=connection.default_channel).queue_declare(passive=True)
            except connection.channel_errors:
                return False
        return True

    def device_of(self, handset: HandsetSimulator) -> dict[str, object]:
        """Return the device document of `handset`."""
        return self.couchdb.get(database_of(handset), handset.device_id)

    def stop_pusher(self) -> None:
        """Stop what the guide had started."""
        for terminal in self.terminals.values():
            terminal.close()
        self.terminals.clear()

    def close(self) -> None:
        """Leave nothing running."""
        self.stop_pusher()
        self._main.run("sup kapps_controller stop_app pusher")
        self._main.close()

    def _leave_running(self, name: str, command: str) -> None:
        terminal = self.terminals[name] = Terminal(self._folder, name, self._environment)
        for typed in commands(GUIDE, "## Before you begin"):
            export = typed.command
            for there, here in self._here.items():
                export = export.replace(there, here)
            terminal.type(export)
        terminal.type(command)
        until(lambda: READY[name](terminal.output), seconds=30, what=f"{command} is ready")

    def _write_documents(self) -> None:
        account = database_of(self.android)
        self.couchdb.create("system_config", account)
        self.couchdb.put("system_config", kazoo_document(self.stage))
        for handset in (self.android, self.iphone):
            self.couchdb.put(account, device_document(handset, handset.token))
        self.couchdb.put(account, device_document(self.reinstalled, "the-token-before"))

    def _write_stand_ins(self) -> None:
        (self._folder / "bin").mkdir()
        for name in ("sup", "rabbitmqctl"):
            path = self._folder / "bin" / name
            path.write_text(
                f'#!/bin/sh\nexec {sys.executable} -m tests.acceptance.stand_ins {name} "{self.bus_url}" "$@"\n'
            )
            path.chmod(0o755)


def database_of(handset: HandsetSimulator) -> str:
    return f"account/{handset.account_id[:2]}/{handset.account_id[2:4]}/{handset.account_id[4:]}"


def kazoo_document(stage: Stage) -> dict[str, object]:
    """Return system_config/pusher as Kazoo has it (facts: kazoo.md 5): no key of ours but the simulators' addresses."""
    return {
        "_id": "pusher",
        "pvt_type": "config",
        "pvt_node": "kazoo_apps@kazoo.example.com",
        "default": {"User-Agents": {"ExamplePhone": dict(USER_AGENT_RULE)}, "sandbox": False},
        AppKind.APPLE_CERTIFICATE: {
            "apple": {
                "certificate": stage.certificate.pem,
                "host": f"127.0.0.1:{stage.apns.port}",
                "headers": {"apns_priority": "10"},
                "apns_topic": AppKind.APPLE_CERTIFICATE.topic,
            }
        },
        AppKind.FIREBASE: {
            "firebase": {"api_key": "AIzaSyLegacyLegacyLegacyLegacyLegacy000", "host": f"127.0.0.1:{stage.fcm.port}"}
        },
        "pvt_modified": 63_900_000_000,
    }


def device_document(handset: HandsetSimulator, token: str) -> dict[str, object]:
    """Return a device as Kazoo keeps it, its `token` learned by the Erlang application."""
    return {
        "_id": handset.device_id,
        "name": 'Ann\'s "phone" \\ Zoë',
        "sip": {"username": "2001", "password": "s3cret", "expire_seconds": 360},
        "media": {"audio": {"codecs": ["OPUS", "PCMU"]}},
        "enabled": True,
        "pvt_type": "device",
        "push": {
            "Token-App": str(handset.app_id),
            "Token-Type": handset.token_type,
            "Token-ID": token,
            "Token-Proxy": "sip:127.0.0.1:5060;transport=udp",
        },
        "pvt_account_db": database_of(handset),
    }


@pytest.fixture
def kazoo(tmp_path: Path, bus_url: str, redis_url: str, couchdb: CouchDB) -> Iterator[Kazoo]:
    """A Kazoo whose Erlang pusher runs."""
    with Stage(tmp_path / "stage", bus_url) as stage:
        made = Kazoo(tmp_path, bus_url, redis_url, couchdb, stage)
        try:
            made.start_erlang_application()
            yield made
        finally:
            made.close()


def test_the_guide_leads_from_the_erlang_application_to_woken_phones_and_back(kazoo: Kazoo) -> None:
    settings = kazoo.couchdb.get("system_config", "pusher")
    kazoo.follow("## Before you begin")

    looked = kazoo.follow("## 1. Look, while the Erlang application still runs")
    apps, rules, _ = looked.values()
    assert f"{AppKind.APPLE_CERTIFICATE}  enabled  apple, certificate" in apps
    assert "unusable: a legacy server key" in apps
    assert "ExamplePhone" in rules
    assert kazoo.couchdb.get("system_config", "pusher") == settings

    kazoo.follow("## 2. Mend credentials")
    kazoo.follow("## 3. Stop the Erlang application")
    assert not kazoo.has_queue("pusher_shared_listener")
    kazoo.follow("## 4. Start Pusher")
    (checked,) = kazoo.follow("## 5. Check").values()
    assert "FAILED" not in checked
    (pushed,) = kazoo.follow("## 6. Wake a phone").values()
    assert "ccepted" in pushed
    assert len(kazoo.android.pushed_at) == 1

    proxy = ProxySimulator(kazoo.bus_url)
    proxy.start()
    try:
        for handset in (kazoo.android, kazoo.iphone):
            call = proxy.call(token=handset.token, token_type=handset.token_type, app_id=handset.app_id)
            answer = call.answer(5.0)
            assert answer is not None
            assert answer["Push-Status"] == "registered"
    finally:
        proxy.close()
    kazoo.reinstalled.register()
    learned = device_document(kazoo.reinstalled, kazoo.reinstalled.token)
    until(lambda: without_rev(kazoo.device_of(kazoo.reinstalled)) == learned)
    # By now the others' registrations are worked off as well. They taught nothing: the documents are as they were.
    assert kazoo.device_of(kazoo.iphone)["_rev"].startswith("1-")

    mended = kazoo.couchdb.get("system_config", "pusher")
    assert mended[AppKind.FIREBASE]["firebase"].pop("service_account")
    assert without_rev(mended) == without_rev(settings)

    kazoo.stop_pusher()
    kazoo.follow("## Going back")
    assert kazoo.has_queue("pusher_shared_listener")
    assert not kazoo.has_queue("pusher.push_req")


def without_rev(document: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in document.items() if key != "_rev"}
