"""`pusher maintenance import-kazoo` on the real CouchDB API and the real broker: what it copies, says and announces."""

import json
import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pusher.bus.connection import connect
from pusher.clock import utcnow
from pusher.documents import pusher_document
from pusher.documents.sqlite import SQLiteDocuments
from pusher.errors import DocumentMissing
from pusher.simulators.authority import Authority
from tests.integration.bus.broker import channel_to, taken
from tests.support.child import port_of, reserve_port, serving
from tests.support.couchdb import PASSWORD, USER, CouchDB
from tests.support.until import until
from tests.unit.cli.running import Pusher

PROPERTIES = {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"}
LINPHONE = {"regex": "^Linphone", "properties": PROPERTIES}
IMPORT = ("maintenance", "import-kazoo")


@pytest.fixture
def pusher(tmp_path: Path, bus_url: str) -> Pusher:
    """The command, with a documents file of its own; an announcement lands in queue `heard`."""
    connect(bus_url, heartbeat_s=0).release()
    with channel_to(bus_url) as channel:
        channel.queue_declare("heard", auto_delete=False)
        channel.queue_bind("heard", "configuration", "#")
    return Pusher(tmp_path, PUSHER_BUS_URL=bus_url, PUSHER_ZONE="zone-1")


@pytest.fixture(scope="module")
def second_server() -> Iterator[CouchDB]:
    """Another CouchDB, for where the source and ours are both one."""
    yield from serving(CouchDB())


@pytest.fixture(scope="module")
def kazoo(authority: Authority) -> dict[str, Any]:
    """A document as Kazoo and its operators left it after some years."""

    def certificate(days: int, started: int = 1) -> str:
        start = utcnow() - timedelta(days=started)
        made = authority.client_certificate(
            topics=("org.example.app.voip",), bundle_id="org.example.app", key="ec", not_before=start, days=days
        )
        return made.pem

    good = certificate(200)
    return {
        "_id": "pusher",
        "default": {
            "User-Agents": {"Linphone": LINPHONE, "Old": {"regex": "("}},
            "modules": ["pm_apple"],
            "apple": {"headers": {"apns_priority": 10}},
        },
        "org.example.app.voip.prod": {"apple": {"certificate": good, "host": "gateway.push.apple.com:2195"}},
        "org.example.soon": {"apple": {"certificate": certificate(12), "enabled": False}},
        "org.example.late": {"apple": {"certificate": certificate(100, started=365)}},
        "org.example.keyless": {
            "apple": {"certificate": good[: good.index("-----BEGIN PRIVATE")], "enabled": "perhaps"}
        },
        "org.example.app": {"firebase": {"api_key": "AIza-legacy-secret"}, "huawei": {"client_secret": "hush-hush"}},
        "org.example.gcm": {"google": "AIza-oldest-secret"},
        "org.example.text": {"apple": "text"},
        "zone-1": {"apple": {"host": "127.0.0.1:2197"}},
        "org.example\n\x1b[2J": {"firebase": {}},
        "pvt_node": "kazoo_apps@kazoo.lab.example.com",
    }


@pytest.fixture
def source(couchdb: CouchDB, kazoo: dict[str, Any]) -> str:
    """The URL of the CouchDB that has it."""
    couchdb.create("system_config")
    couchdb.put("system_config", kazoo)
    return couchdb.url


def date_in(days: int) -> str:
    """Return the date in so many days."""
    return f"{utcnow() + timedelta(days=days):%Y-%m-%d}"


def test_all_is_copied_and_said_line_by_line(
    pusher: Pusher, source: str, documents: SQLiteDocuments, kazoo: dict[str, Any]
) -> None:
    result = pusher(*IMPORT, source)
    assert result.exit_code == 0, result.stderr
    strange = r"org.example\n\x1b[2J firebase"
    rule = "Token-App=app-id Token-Type=pn-type Token-ID=pn-tok"
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        "Copied What it is",
        f"default User-Agents Linphone ^Linphone {rule}",
        "default User-Agents Old (",
        "default modules not used",
        "default apple no credential",
        "org.example.app.voip.prod apple certificate for org.example.app.voip, 198 days left, api.push.apple.com",
        "org.example.soon apple disabled; certificate for org.example.app.voip, 10 days left, 127.0.0.1:2197",
        "org.example.late apple unusable, see below",
        "org.example.keyless apple unusable, see below",
        "org.example.app firebase unusable, see below",
        "org.example.app huawei not used",
        "org.example.gcm google not used",
        "zone-1 apple for all apps of the zone",
        f"{strange} no credential",
        "",
        "Not copied Why",
        "org.example.text apple is not an object",
        "",
        "Needs attention",
        "default User-Agents Old: regex is not a regular expression: missing ) at position 1; the rule is skipped",
        "pusher maintenance add-user-agent Old REGEX PROPERTY=PARAM...",
        "default modules: not known to Pusher, and not used",
        "org.example.app.voip.prod apple: the host was one that Apple shut down: api.push.apple.com took its place",
        f"org.example.soon apple: the certificate ends on {date_in(11)}: renew it at developer.apple.com",
        "pusher maintenance add-apple-app org.example.soon push.pem",
        f"org.example.late apple: the certificate expired on {date_in(-265)}: renew it at developer.apple.com",
        "pusher maintenance add-apple-app org.example.late push.pem",
        "org.example.keyless apple: it holds a certificate but no private key: export both from the keychain as .p12, "
        "then run openssl pkcs12 -in FILE.p12 -clcerts -nodes",
        "pusher maintenance add-apple-app org.example.keyless push.pem",
        "org.example.app firebase: a legacy server key, which Google shut down: add a service account instead",
        "pusher maintenance add-firebase-app org.example.app service-account.json",
        "org.example.app huawei: not known to Pusher, and not used",
        "org.example.gcm google: a legacy server key, which Google shut down: add a service account instead",
        "pusher maintenance add-firebase-app org.example.gcm service-account.json",
        "org.example.keyless.apple.enabled: is neither true nor false; not used",
        "",
        "Done: copied 13, already here 0, kept 0, not copied 1.",
    ]
    assert result.stderr == ""
    saved = documents.read("system_config", "pusher")
    del saved["_rev"]
    expected = {key: value for key, value in kazoo.items() if key not in ("org.example.text", "pvt_node")}
    expected["org.example.app.voip.prod"] = {
        "apple": {**kazoo["org.example.app.voip.prod"]["apple"], "host": "api.push.apple.com"}
    }
    assert saved == expected


def test_no_secret_is_said(pusher: Pusher, source: str, kazoo: dict[str, Any]) -> None:
    said = pusher(*IMPORT, source).output + pusher(*IMPORT, source, "--dry-run").output
    secrets = ["AIza", "hush-hush", PASSWORD, "BEGIN CERTIFICATE", "PRIVATE KEY"]
    for app in kazoo.values():
        if isinstance(app, dict) and isinstance(app.get("apple"), dict):
            secrets += [line for line in app["apple"].get("certificate", "").splitlines() if len(line) == 64]
    assert len(secrets) > 20
    assert not [secret for secret in secrets if secret in said]


def test_an_import_is_saved_and_announced_once_and_a_second_one_does_nothing(
    pusher: Pusher, bus_url: str, source: str, documents: SQLiteDocuments
) -> None:
    pusher.done(*IMPORT, source)
    saved = pusher_document.read(documents)
    message = taken(bus_url, "heard")
    assert message.delivery_info["routing_key"] == "doc_created.system_config.undefined.pusher"
    assert json.loads(message.body)["Rev"] == saved["_rev"]
    said = pusher.done(*IMPORT, source)
    assert said.splitlines()[0].startswith("Already here")
    assert said.splitlines()[-1] == "Done: copied 0, already here 13, kept 0, not copied 1."
    assert pusher_document.read(documents) == saved
    assert taken(bus_url, "heard") is None


def test_a_dry_run_says_the_same_and_does_nothing(
    pusher: Pusher, bus_url: str, source: str, documents: SQLiteDocuments
) -> None:
    planned = pusher.done(*IMPORT, source, "--dry-run")
    assert planned.splitlines()[-1] == (
        "Dry run, nothing was saved: would be copied 13, already here 0, would be kept 0, would be left 1."
    )
    with pytest.raises(DocumentMissing):
        documents.read("system_config", "pusher")
    done = pusher.done(*IMPORT, source)
    taken(bus_url, "heard")
    for conditional, word in (("Would be copied", "Copied"), ("Would be left", "Not copied")):
        assert conditional in planned
        planned = planned.replace(conditional, word)
    assert [line.split() for line in planned.splitlines()[:-1]] == [line.split() for line in done.splitlines()[:-1]]
    rev = pusher_document.read(documents)["_rev"]
    pusher.done(*IMPORT, source, "--dry-run")
    assert pusher_document.read(documents)["_rev"] == rev
    assert taken(bus_url, "heard") is None


def test_what_stands_here_is_kept_and_the_way_to_the_sources_is_told(
    pusher: Pusher, source: str, documents: SQLiteDocuments, kazoo: dict[str, Any]
) -> None:
    ours = {"_id": "pusher", "org.example.app": {"firebase": {"api_key": "ours"}}, "default": {"ours": 1}}
    documents.save("system_config", ours)
    said = pusher.done(*IMPORT, source)
    assert "Kept                      Why\norg.example.app firebase  differs from the source\n\n" in said
    assert "pusher maintenance remove-app APP_ID" in said
    assert said.splitlines()[-1] == "Done: copied 12, already here 0, kept 1, not copied 1."
    saved = pusher_document.read(documents)
    assert saved["org.example.app"] == {"firebase": {"api_key": "ours"}, "huawei": {"client_secret": "hush-hush"}}
    assert saved["default"] == {"ours": 1, **kazoo["default"]}
    assert list(saved)[:4] == ["_id", "_rev", "org.example.app", "default"]
    pusher.done("maintenance", "remove-app", "org.example.app")
    pusher.done(*IMPORT, source)
    assert pusher_document.read(documents)["org.example.app"] == kazoo["org.example.app"]


def test_an_edit_by_somebody_else_meanwhile_stays(pusher: Pusher, source: str, second_server: CouchDB) -> None:
    second_server.reset()
    second_server.create("system_config")
    rev = second_server.put("system_config", {"_id": "pusher", "ours": {"apple": {"host": "a"}}})
    second_server.misbehave("delay", method="PUT", times=1, ms=2000)
    with ThreadPoolExecutor(1) as executor:
        done = executor.submit(pusher.done, *IMPORT, source, env={"PUSHER_DOCUMENTS_URL": second_server.url})
        until(lambda: [each["method"] for each in second_server.requests()].count("PUT") == 3, seconds=30)
        edited = {"_id": "pusher", "_rev": rev, "ours": {"apple": {"host": "b"}}, "org.example.gcm": {"google": "c"}}
        second_server.put("system_config", edited)
        said = done.result(30)
    saved = second_server.get("system_config", "pusher")
    assert (saved["ours"], saved["org.example.gcm"]) == ({"apple": {"host": "b"}}, {"google": "c"})
    assert saved["default"]["User-Agents"]["Linphone"] == LINPHONE
    # What is said is what was saved, not what was tried first.
    assert "org.example.gcm google  differs from the source" in said


def test_it_is_said_while_the_bus_is_away(pusher: Pusher, source: str, documents: SQLiteDocuments) -> None:
    with reserve_port() as holder:
        result = pusher(*IMPORT, source, env={"PUSHER_BUS_URL": f"amqp://127.0.0.1:{port_of(holder)}//"})
    assert result.exit_code == 0
    assert "The bus is away: running processes notice the change within a minute.\n" in result.stderr
    assert "org.example.app" in pusher_document.read(documents)


def started(pusher: Pusher, url: str, stdin: int) -> "subprocess.Popen[str]":
    """Start a dry run in a process of its own, which has no terminal but what `stdin` may be."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("pusher")), *IMPORT, url, "--dry-run"],
        env={name: value for name, value in os.environ.items() if not name.startswith("PUSHER_")} | pusher.environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


def test_a_password_that_the_url_does_not_hold_is_typed_unseen(pusher: Pusher, source: str, couchdb: CouchDB) -> None:
    keyboard, terminal = os.openpty()
    process = started(pusher, f"http://{USER}@127.0.0.1:{couchdb.port}", terminal)
    try:
        until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, seconds=30)
        os.write(keyboard, f"{PASSWORD}\n".encode())
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(keyboard)
        os.close(terminal)
    assert process.returncode == 0, stderr
    assert stderr.strip() == f"Password of {USER} at 127.0.0.1:{couchdb.port}:"
    assert stdout == pusher.done(*IMPORT, source, "--dry-run")


def test_a_password_that_the_url_does_not_hold_may_come_from_a_program(
    pusher: Pusher, source: str, couchdb: CouchDB
) -> None:
    process = started(pusher, f"http://{USER}@127.0.0.1:{couchdb.port}", subprocess.PIPE)
    stdout, stderr = process.communicate(f"{PASSWORD}\n", timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert stdout == pusher.done(*IMPORT, source, "--dry-run")


def test_a_certificate_authority_of_ones_own_is_trusted(pusher: Pusher, source: str, couchdb: CouchDB) -> None:
    trusting = {"PUSHER_CA_FILE": str(couchdb.authority.ca_file)}
    assert pusher.done(*IMPORT, couchdb.tls_url, "--dry-run", env=trusting) == pusher.done(*IMPORT, source, "--dry-run")
    assert "certificate" in pusher.fails(*IMPORT, couchdb.tls_url)


def test_a_source_without_the_document_is_one_line(pusher: Pusher, couchdb: CouchDB) -> None:
    problem = (
        f"http://***@127.0.0.1:{couchdb.port} has no document pusher in database system_config: is it Kazoo's CouchDB?"
    )
    assert pusher.fails(*IMPORT, couchdb.url) == problem
    couchdb.create("system_config")
    assert pusher.fails(*IMPORT, couchdb.url) == problem


def test_a_source_that_cannot_be_read_is_one_line_without_the_password(
    pusher: Pusher, couchdb: CouchDB, documents: SQLiteDocuments
) -> None:
    wrong = f"http://{USER}:geheim@127.0.0.1:{couchdb.port}"
    assert pusher.fails(*IMPORT, wrong).endswith("does not accept the user and password in URL")
    with reserve_port() as holder:
        assert "geheim" not in pusher.fails(*IMPORT, f"http://{USER}:geheim@127.0.0.1:{port_of(holder)}")
    for url in ("ftp://u:geheim@host", "http://u:gehe/im@host", "http://u:geheim@host:port", "http://[::1", "couchdb"):
        said = pusher.fails(*IMPORT, url)
        assert said.startswith("URL: ")
        assert "gehe" not in said
    with pytest.raises(DocumentMissing):
        documents.read("system_config", "pusher")
