"""What `pusher check` says of apps: their settings, and what their providers think of their credentials."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pusher.clock import utcnow
from pusher.documents import pusher_document
from pusher.documents.sqlite import SQLiteDocuments
from pusher.simulators.authority import Authority
from pusher.simulators.misbehaviour import Answer, Silent
from pusher.simulators.stage import AppKind, Stage
from tests.integration.check.checking import STOPPED, bad, checked
from tests.support.child import port_of, reserve_port
from tests.support.rabbitmq import RabbitMQ
from tests.unit.cli.running import Pusher

KEY, CERTIFICATE = f"app {AppKind.APPLE_KEY} (apple)", f"app {AppKind.APPLE_CERTIFICATE} (apple)"
FIREBASE = f"app {AppKind.FIREBASE} (firebase)"


def edit(documents: SQLiteDocuments, app: str, provider: str, **settings: Any) -> None:
    """Change settings of an app."""
    document = pusher_document.read(documents)
    document.setdefault(app, {}).setdefault(provider, {}).update(settings)
    documents.save("system_config", document)


def finding(pusher: Pusher, subject: str, *args: str, **environment: str) -> dict[str, Any]:
    """Return one finding, all others being well."""
    findings = checked(pusher, *args, **environment)
    assert bad(findings) <= {subject}
    return findings[subject]


def test_every_kind_of_credential_is_verified_at_its_provider(staged: Pusher, stage: Stage) -> None:
    findings = checked(staged)
    assert bad(findings) == set()
    codes = {KEY: "BadDeviceToken", CERTIFICATE: "BadDeviceToken", FIREBASE: "INVALID_ARGUMENT"}
    for subject, code in codes.items():
        facts = findings[subject]["facts"]
        assert (facts["live"], facts["code"]) == ("ok", code)
        assert 0 < facts["ms"] < 5000
        assert "verified live" in findings[subject]["text"]
    assert findings[CERTIFICATE]["facts"]["days_left"] == 364
    assert findings[CERTIFICATE]["facts"]["topic"] == AppKind.APPLE_CERTIFICATE.topic
    assert stage.token_server.grants == 1


def test_offline_asks_nobody(staged: Pusher, stage: Stage) -> None:
    findings = checked(staged, "--offline")
    assert bad(findings) == set()
    assert findings[KEY]["facts"]["live"] is None
    assert stage.apns.connections_opened + stage.fcm.connections_opened + stage.token_server.requests == 0


def test_a_key_that_apple_does_not_know(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    other = stage.authority.auth_key("OTHER12345", "TEAM123456")
    key = {"key_id": "OTHER12345", "team_id": "TEAM123456", "private_key": other.pem}
    edit(documents, AppKind.APPLE_KEY, "apple", token_key=key)
    found = finding(staged, KEY)
    assert (found["status"], found["facts"]["code"]) == ("failed", "InvalidProviderToken")
    assert "key id, team id and key do not belong together" in found["text"]
    assert "a wrong team" in found["text"]


def test_a_key_of_another_team(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    key = {"key_id": stage.key.key_id, "team_id": "OTHER12345", "private_key": stage.key.pem}
    edit(documents, AppKind.APPLE_KEY, "apple", token_key=key)
    assert finding(staged, KEY)["facts"]["code"] == "InvalidProviderToken"


def certificate(stage: Stage, **terms: Any) -> str:
    """Return another certificate of the same app."""
    topic = AppKind.APPLE_CERTIFICATE.topic
    made = {"topics": (topic,), "bundle_id": topic.removesuffix(".voip"), **terms}
    return stage.authority.client_certificate(**made).pem


def test_a_certificate_that_ends_soon_or_has_ended(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    edit(documents, AppKind.APPLE_CERTIFICATE, "apple", certificate=certificate(stage, days=20))
    found = finding(staged, CERTIFICATE)
    assert (found["status"], found["facts"]["days_left"], found["facts"]["live"]) == ("warn", 19, "ok")
    assert found["text"].startswith("it expires on ")
    ended = certificate(stage, not_before=utcnow() - timedelta(days=40), days=30)
    edit(documents, AppKind.APPLE_CERTIFICATE, "apple", certificate=ended)
    before = stage.apns.connections_opened
    found = finding(staged, CERTIFICATE)
    assert (found["status"], found["facts"]["live"]) == ("failed", None)
    assert found["text"].startswith("the certificate expired on ")
    assert stage.apns.connections_opened == before + 1, "only the other app's"


def test_a_certificate_of_an_authority_that_is_not_apple_s(
    staged: Pusher, documents: SQLiteDocuments, tmp_path: Path
) -> None:
    topic = AppKind.APPLE_CERTIFICATE.topic
    foreign = Authority(tmp_path / "foreign").client_certificate(topics=(topic,), bundle_id=topic, key="ec")
    edit(documents, AppKind.APPLE_CERTIFICATE, "apple", certificate=foreign.pem)
    found = finding(staged, CERTIFICATE)
    assert found["status"] == "failed"
    assert "it hangs up: on a client certificate that it refuses" in found["text"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_is_refused_with_a_tls_alert(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = context.minimum_version = version
    context.load_cert_chain(stage.authority.server_file)
    context.load_verify_locations(Authority(tmp_path / "apple").ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])

    def refuse() -> None:
        connection, _ = server.accept()
        with suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True):
            raise AssertionError("a foreign certificate was let in")

    with socket.create_server(("127.0.0.1", 0)) as server:
        edit(documents, AppKind.APPLE_CERTIFICATE, "apple", host=f"127.0.0.1:{server.getsockname()[1]}")
        thread = threading.Thread(target=refuse)
        thread.start()
        found = finding(staged, CERTIFICATE)
        thread.join(10)
    assert found["status"] == "failed"
    assert "the provider refuses the client certificate: renew it and add the app again" in found["text"]


def test_a_certificate_for_another_topic(staged: Pusher, documents: SQLiteDocuments) -> None:
    edit(documents, AppKind.APPLE_CERTIFICATE, "apple", apns_topic="org.example.other.voip")
    found = finding(staged, CERTIFICATE)
    assert (found["status"], found["facts"]["live"]) == ("failed", None)
    assert "the certificate is not for topic org.example.other.voip: set apple.apns_topic" in found["text"]


@pytest.mark.parametrize(
    ("environment", "host", "works"),
    [
        ("development", "api.push.apple.com", False),
        ("production", "API.sandbox.push.apple.com:2197", False),
        ("development", "api.development.push.apple.com", True),
        ("both", "api.push.apple.com", True),
    ],
)
def test_a_certificate_for_the_other_environment_is_known_by_its_host(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments, environment: str, host: str, works: bool
) -> None:
    pem = certificate(stage, environment=environment)
    edit(documents, AppKind.APPLE_CERTIFICATE, "apple", certificate=pem, host=host)
    found = finding(staged, CERTIFICATE, "--offline")
    assert (found["status"] == "ok") == works
    assert (f"the certificate is for {environment} only, and the host is " in found["text"]) != works


def test_a_certificate_for_the_other_environment_is_refused_live(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments
) -> None:
    edit(documents, AppKind.APPLE_CERTIFICATE, "apple", certificate=certificate(stage, environment="development"))
    found = finding(staged, CERTIFICATE)
    assert (found["status"], found["facts"]["code"]) == ("failed", "BadCertificateEnvironment")


@pytest.mark.parametrize(
    ("settings", "warned"),
    [({"push_type": "alert"}, True), ({"apns_topic": "org.example.app"}, False), ({"push_type": "voip"}, False)],
)
def test_a_push_type_that_does_not_wake_for_calls(
    staged: Pusher, documents: SQLiteDocuments, settings: dict[str, str], warned: bool
) -> None:
    edit(documents, AppKind.APPLE_KEY, "apple", **settings)
    found = finding(staged, KEY, "--offline")
    assert (found["status"] == "warn", "calls need voip and a topic in .voip" in found["text"]) == (warned, warned)


def test_an_app_id_that_makes_no_topic(staged: Pusher, documents: SQLiteDocuments) -> None:
    edit(documents, AppKind.APPLE_KEY, "apple", apns_topic="no topic")
    assert finding(staged, KEY)["text"].startswith("the app id makes no topic: set apple.apns_topic")


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"apple": {"certificate": "hello"}}, "this is not PEM"),
        ({"apple": {"host": "h:0", "certificate": "x"}}, "host: the port must be between 1 and 65535: it is h:0"),
        ({"firebase": {"api_key": "AIza"}}, "a legacy server key, which Google shut down"),
        ({"firebase": {"service_account": {"type": "service_account"}}}, "the service account lacks"),
    ],
)
def test_a_credential_that_cannot_work_is_not_tried(
    pusher: Pusher, documents: SQLiteDocuments, section: dict[str, Any], problem: str
) -> None:
    documents.save("system_config", {"_id": "pusher", "org.example.app": section})
    [provider] = section
    found = finding(pusher, f"app org.example.app ({provider})")
    assert found["status"] == "failed"
    assert problem in found["text"]
    assert "AIza" not in str(found)


@pytest.mark.parametrize(
    ("section", "subject", "problem"),
    [
        ({"us-east": {"apple": {"host": "h"}}}, "app us-east (apple)", "or the settings of a zone that is not ours"),
        ({"default": {"firebase": {"api_key": "AIza"}}}, "app default (firebase)", "a legacy server key for all apps"),
    ],
)
def test_what_may_stay_in_kazoo_s_document_is_worth_a_look_only(
    pusher: Pusher, documents: SQLiteDocuments, section: dict[str, Any], subject: str, problem: str
) -> None:
    documents.save("system_config", {"_id": "pusher", **section})
    found = finding(pusher, subject)
    assert found["status"] == "warn"
    assert problem in found["text"]


def test_a_service_account_that_google_does_not_know(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    other = stage.authority.service_account("example-softphone", stage.token_server.url)
    edit(documents, AppKind.FIREBASE, "firebase", service_account=other.fields)
    found = finding(staged, FIREBASE)
    assert (found["status"], found["facts"]["code"]) == ("failed", "grant_refused")
    assert "the token server refused the service account" in found["text"]
    assert "a clock that is off" in found["text"]


def test_a_project_that_is_unknown_or_somebody_else_s(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    fields = dict(stage.account.fields)
    edit(documents, AppKind.FIREBASE, "firebase", service_account=fields | {"project_id": "no-such-project"})
    found = finding(staged, FIREBASE)
    assert (found["status"], found["facts"]["code"]) == ("failed", "NOT_FOUND")
    assert "project or address is wrong" in found["text"]
    stage.fcm.register_token("theirs", "their-project")
    edit(documents, AppKind.FIREBASE, "firebase", service_account=fields | {"project_id": "their-project"})
    found = finding(staged, FIREBASE)
    assert (found["status"], found["facts"]["code"]) == ("failed", "PERMISSION_DENIED")
    assert "the API is disabled or the service account lacks the permission" in found["text"]


def test_a_token_server_that_is_away(staged: Pusher, stage: Stage) -> None:
    stage.token_server.close()
    found = finding(staged, FIREBASE)
    assert found["status"] == "failed"
    assert "the token server gave no answer" in found["text"]
    assert "look at the service account's token_uri, the firewall and PUSHER_PROXY_URL" in found["text"]


def test_a_provider_that_has_trouble_of_its_own_is_no_fault_of_ours(staged: Pusher, stage: Stage) -> None:
    stage.apns.always(Answer(status=503, reason="ServiceUnavailable"))
    stage.fcm.always(Answer(status=502))
    findings = checked(staged)
    assert bad(findings) == set()
    assert {KEY, CERTIFICATE, FIREBASE} <= bad(findings, "warn")
    assert "ServiceUnavailable (APNs is unavailable): the provider has trouble of its own" in findings[KEY]["text"]


def test_a_host_whose_certificate_is_not_trusted(staged: Pusher) -> None:
    del staged.environment["PUSHER_CA_FILE"]
    findings = checked(staged)
    assert bad(findings) == {KEY, CERTIFICATE, FIREBASE}
    assert "its certificate is not accepted" in findings[KEY]["text"]
    assert "PUSHER_CA_FILE" in findings[KEY]["text"]


def test_a_host_that_is_no_provider(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments, rabbitmq: RabbitMQ
) -> None:
    # The one speaks no TLS, the other no HTTP/2.
    for port in (rabbitmq.port, stage.token_server.port):
        edit(documents, AppKind.APPLE_KEY, "apple", host=f"127.0.0.1:{port}")
        assert "that is no provider: look at the app's setting host" in finding(staged, KEY)["text"]


def test_a_proxy_that_is_away(staged: Pusher) -> None:
    with reserve_port() as holder:
        findings = checked(staged, PUSHER_PROXY_URL=f"http://u:geheim@127.0.0.1:{port_of(holder)}")
    assert bad(findings) == {KEY, CERTIFICATE, FIREBASE}
    assert "look at PUSHER_PROXY_URL and at the proxy" in findings[KEY]["text"]
    assert "geheim" not in str(findings)


def test_a_hundred_apps_on_dead_hosts_cost_one_deadline_and_hide_no_other(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments
) -> None:
    document = pusher_document.read(documents)
    # To load an RSA key takes a tenth of a second, a hundred times.
    apple = {"certificate": certificate(stage, key="ec")}
    stage.fcm.always(Silent())
    # One takes connections and says nothing, the other refuses them.
    with reserve_port() as closed, socket.create_server(("127.0.0.1", 0), backlog=200) as mute:
        hosts = (f"127.0.0.1:{port_of(closed)}", f"127.0.0.1:{port_of(mute)}")
        for number in range(100):
            settings = apple | {"host": hosts[number % 2], "apns_topic": AppKind.APPLE_CERTIFICATE.topic}
            document[f"org.example.app{number}"] = {"apple": settings}
        documents.save("system_config", document)
        began = time.monotonic()
        findings = checked(staged)
        took_s = time.monotonic() - began
    dead = {f"app org.example.app{number} (apple)" for number in range(100)}
    assert bad(findings) == dead | {FIREBASE}
    assert "cannot connect: Connection refused" in findings["app org.example.app0 (apple)"]["text"]
    assert "it takes connections and does not answer" in findings[FIREBASE]["text"]
    assert findings[CERTIFICATE]["facts"]["live"] == "ok"
    assert took_s < 12


def test_a_disabled_app_is_told_and_not_tried(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    for kind in (AppKind.APPLE_KEY, AppKind.APPLE_CERTIFICATE):
        edit(documents, kind, "apple", enabled=False)
    edit(documents, AppKind.APPLE_CERTIFICATE, "apple", certificate="hello")
    findings = checked(staged)
    assert bad(findings) == set()
    assert findings[KEY]["status"] == "ok"
    assert "disabled: its calls fail over at once" in findings[KEY]["text"]
    # Nothing is urgent about a credential that nobody uses.
    assert findings[CERTIFICATE]["status"] == "warn"
    assert stage.apns.connections_opened == 0


def test_the_default_is_tried_where_it_can_be(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    edit(documents, "default", "apple", host=stage.apns.host)
    assert finding(staged, "app default (apple)")["text"].startswith("settings for all apps, without a credential")
    key = {"key_id": stage.key.key_id, "team_id": stage.key.team_id, "private_key": stage.key.pem}
    edit(documents, "default", "apple", token_key=key)
    found = finding(staged, "app default (apple)")
    assert (found["status"], found["facts"]["live"]) == ("ok", None)
    # A topic of the default is every app's that has none of its own.
    edit(documents, AppKind.APPLE_CERTIFICATE, "apple", apns_topic=AppKind.APPLE_CERTIFICATE.topic)
    edit(documents, "default", "apple", apns_topic="org.example.app.voip")
    assert finding(staged, "app default (apple)")["facts"]["live"] == "ok"


def test_without_redis_no_provider_token_is_made_that_workers_would_suffer_from(staged: Pusher, stage: Stage) -> None:
    with reserve_port() as holder:
        findings = checked(staged, PUSHER_REDIS_URL=f"redis://127.0.0.1:{port_of(holder)}/0")
    assert findings[KEY]["status"] == "warn"
    assert "not verified live: without Redis" in findings[KEY]["text"]
    assert [request for request in stage.apns.requests if request.header("authorization")] == []
    assert findings[CERTIFICATE]["facts"]["live"] == findings[FIREBASE]["facts"]["live"] == "ok"


def test_nothing_secret_is_said(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    edit(documents, "org.example\x1b[2Jlegacy", "firebase", api_key="AIza-legacy-secret")
    said = staged("check").output + staged("check", "--json").output
    assert "org.example\\x1b[2Jlegacy" in said
    assert "\x1b[2J" not in said
    secrets = [
        "AIza-legacy-secret",
        "PRIVATE KEY",
        "BEGIN CERTIFICATE",
        "bearer",
        stage.account.fields["private_key_id"],
    ]
    for pem in (stage.key.pem, stage.certificate.pem, stage.account.fields["private_key"]):
        secrets += [line for line in pem.splitlines() if len(line) > 40 and " " not in line]
    assert [secret for secret in secrets if secret in said] == []


def test_a_process_of_its_own_logs_nothing_beside_its_findings(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments
) -> None:
    edit(documents, AppKind.FIREBASE, "firebase", enabled="perhaps")
    stage.apns.close()
    ambient = {name: value for name, value in os.environ.items() if not name.startswith("PUSHER_")}
    command = [str(Path(sys.executable).parent / "pusher"), "check", "--json"]
    done = subprocess.run(
        command, env=ambient | staged.environment, cwd=staged.folder, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"Error: {2 + len(STOPPED)} of the above failed\n".encode())
    assert isinstance(json.loads(done.stdout), list)
