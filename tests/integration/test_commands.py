"""The commands of operators on the real broker and Redis, with simulated providers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pusher.bus.connection import connect
from pusher.bus.dead_letters import DeadLetters
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, declare_queue, push_requests, registrations
from pusher.cli.advice import ADVICE
from pusher.cli.table import printable
from pusher.documents import pusher_document
from pusher.documents.sealed import make_key
from pusher.documents.sqlite import SQLiteDocuments
from pusher.push.outcome import FailureReason
from pusher.push.wait import Wait
from pusher.registration.device import Device
from pusher.simulators.authority import Authority
from pusher.simulators.misbehaviour import Answer
from pusher.simulators.stage import AppKind, Stage
from pusher.stores.connection import connect as connect_redis
from pusher.stores.waits import RedisWaits
from tests.integration.bus.broker import channel_to, counted, put, taken
from tests.integration.bus.relay import Relay
from tests.support.child import port_of, reserve_port
from tests.support.until import until
from tests.unit.cli.running import Pusher

ROOT = Path(__file__).parents[2]
APP = "org.example.app.voip.prod"
TOKEN = "5ec2e7" * 10
KEY_ID, TEAM_ID = "ABCDE12345", "TEAM123456"


@pytest.fixture
def publisher(bus_url: str) -> Iterator[BusPublisher]:
    """Somebody else on the bus."""
    made = BusPublisher(bus_url, "kamailio@test")
    yield made
    made.close()


@pytest.fixture
def stage(tmp_path: Path, bus_url: str) -> Iterator[Stage]:
    """Both providers and three apps."""
    with Stage(tmp_path / "stage", bus_url) as stage:
        yield stage


def rows(said: str) -> list[list[str]]:
    """Return the words of each line."""
    return [line.split() for line in said.splitlines()]


def add_key(pusher: Pusher, authority: Authority, app_id: str = APP) -> None:
    """Add an app with a key."""
    key = authority.auth_key(KEY_ID, TEAM_ID)
    pusher.done("maintenance", "add-apple-key", app_id, str(key.path), key.key_id, key.team_id)


def test_an_app_from_its_first_day_to_its_last(
    pusher: Pusher, authority: Authority, documents: SQLiteDocuments
) -> None:
    made = authority.client_certificate(topics=("org.example.app.voip",), bundle_id="org.example.app", key="ec")
    assert pusher.done("maintenance", "list-apps") == ""
    pusher.done("maintenance", "add-apple-app", APP, str(made.path))
    add_key(pusher, authority, "org.example.second")
    assert rows(pusher.done("maintenance", "list-apps")) == [
        ["App", "State", "Credential"],
        f"{APP} enabled apple, certificate for org.example.app.voip, 364 days left, api.push.apple.com".split(),
        ["org.example.second", *f"enabled apple, key {KEY_ID} of team {TEAM_ID}, api.push.apple.com".split()],
    ]
    assert pusher.done("maintenance", "disable-app", APP) == f"Disabled {APP}.\n"
    assert rows(pusher.done("maintenance", "list-apps"))[1][1] == "disabled"
    assert "\n  disabled; apple, certificate" in pusher.done("maintenance", "show-app", APP)
    pusher.done("maintenance", "enable-app", APP)
    assert rows(pusher.done("maintenance", "list-apps"))[1][1] == "enabled"
    assert pusher.done("maintenance", "remove-app", APP) == f"Removed {APP}.\n"
    assert [row[0] for row in rows(pusher.done("maintenance", "list-apps"))] == ["App", "org.example.second"]
    assert APP not in pusher_document.read(documents)
    for command in ("show-app", "enable-app", "disable-app", "remove-app"):
        assert pusher.fails("maintenance", command, APP).startswith(f"{APP}: is not known")


def test_no_command_says_a_secret(pusher: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    document = stage.pusher_document()
    document["org.example.legacy"] = {"firebase": {"api_key": "AIza-legacy-secret"}}
    documents.save("system_config", document)
    apps = [*AppKind, "org.example.legacy"]
    said = [pusher("maintenance", "show-app", app).output for app in apps]
    said += [pusher("maintenance", "list-apps").output, pusher("check").output]
    assert all(str(app) in "".join(said) for app in apps)
    secrets = ["AIza-legacy-secret", "PRIVATE KEY", "BEGIN CERTIFICATE", stage.account.fields["private_key_id"]]
    for pem in (stage.key.pem, stage.certificate.pem, stage.account.fields["private_key"]):
        secrets += [line for line in pem.splitlines() if len(line) > 40 and " " not in line]
    for secret in secrets:
        assert secret not in "".join(said)


def test_user_agents_from_first_to_last(pusher: Pusher) -> None:
    mapping = ("Token-App=app-id", "Token-Type=pn-type", "Token-ID=pn-tok")
    assert pusher.done("maintenance", "list-user-agents") == ""
    assert pusher.done("maintenance", "add-user-agent", "Linphone", "^Linphone", *mapping) == "Added Linphone.\n"
    pusher.done("maintenance", "add-user-agent", "All", ".", "Token-ID=x=y")
    assert rows(pusher.done("maintenance", "list-user-agents")) == [
        ["Name", "Regex", "Properties"],
        ["Linphone", "^Linphone", *mapping],
        ["All", ".", "Token-ID=x=y"],
    ]
    assert pusher.done("maintenance", "test-user-agent", "Linphone/5.2") == f"Linphone: {' '.join(mapping)}\n"
    assert pusher.done("maintenance", "test-user-agent", "Acme").startswith("All: ")
    pusher.done("maintenance", "remove-user-agent", "All")
    assert "no rule matches" in pusher.fails("maintenance", "test-user-agent", "Acme")
    assert "All: is not known" in pusher.fails("maintenance", "remove-user-agent", "All")


@pytest.mark.parametrize(
    ("regex", "mapping", "problem"),
    [
        ("(", "Token-ID=pn-tok", "User-Agents.X.regex: is not a regular expression"),
        ("", "Token-ID=pn-tok", "User-Agents.X.regex: is not a text"),
        ("^X", "Token-App=app-id", "User-Agents.X.properties: has no Token-ID"),
        ("^X", "Token-ID=a\nb", "User-Agents.X.properties: does not map names"),
    ],
)
def test_a_user_agent_that_cannot_work_is_not_saved(pusher: Pusher, regex: str, mapping: str, problem: str) -> None:
    assert pusher.fails("maintenance", "add-user-agent", "X", regex, mapping).startswith(problem)
    assert pusher.done("maintenance", "list-user-agents") == ""


def test_every_change_is_announced_with_its_revision(
    pusher: Pusher, authority: Authority, bus_url: str, documents: SQLiteDocuments
) -> None:
    connect(bus_url, heartbeat_s=0).release()
    with channel_to(bus_url) as channel:
        channel.queue_declare("heard", auto_delete=False)
        channel.queue_bind("heard", "configuration", "#")
    add_key(pusher, authority)
    message = taken(bus_url, "heard")
    assert message.delivery_info["routing_key"] == "doc_created.system_config.undefined.pusher"
    assert json.loads(message.body)["Rev"] == pusher_document.read(documents)["_rev"]
    for command in (
        ("disable-app", APP),
        ("add-user-agent", "Linphone", "^Linphone", "Token-ID=pn-tok"),
        ("remove-user-agent", "Linphone"),
        ("remove-app", APP),
    ):
        pusher.done("maintenance", *command)
        message = taken(bus_url, "heard")
        assert message.delivery_info["routing_key"] == "doc_edited.system_config.undefined.pusher"
        fields = json.loads(message.body)
        assert (fields["ID"], fields["Database"], fields["Event-Name"]) == ("pusher", "system_config", "doc_edited")
        assert fields["Rev"] == pusher_document.read(documents)["_rev"]
    # What only reads announces nothing.
    pusher.done("maintenance", "list-apps")
    assert taken(bus_url, "heard") is None


def test_encrypting_is_announced_once_and_not_where_there_is_nothing_to_change(
    pusher: Pusher, authority: Authority, bus_url: str, documents: SQLiteDocuments
) -> None:
    add_key(pusher, authority)
    with channel_to(bus_url) as channel:
        channel.queue_declare("heard", auto_delete=False)
        channel.queue_bind("heard", "configuration", "#")
    pusher.environment["PUSHER_SECRET_KEY"] = make_key()
    for command in ("encrypt-credentials", "decrypt-credentials"):
        pusher.done("maintenance", command)
        message = taken(bus_url, "heard")
        assert message.delivery_info["routing_key"] == "doc_edited.system_config.undefined.pusher"
        assert json.loads(message.body)["Rev"] == pusher_document.read(documents)["_rev"]
        pusher.done("maintenance", command)
        assert taken(bus_url, "heard") is None


def test_a_change_is_saved_and_said_while_the_bus_is_away(
    pusher: Pusher, authority: Authority, documents: SQLiteDocuments
) -> None:
    key = authority.auth_key(KEY_ID, TEAM_ID)
    with reserve_port() as holder:
        away = {"PUSHER_BUS_URL": f"amqp://127.0.0.1:{port_of(holder)}//"}
        arguments = ("maintenance", "add-apple-key", APP, str(key.path), key.key_id, key.team_id)
        result = pusher(*arguments, env=away)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Added {APP}")
    assert result.stderr == "The bus is away: running processes notice the change within a minute.\n"
    assert APP in pusher_document.read(documents)


def wait_of(call_id: str | None, *, token: str, window_s: float) -> Wait:
    """Return a call that waits since five seconds."""
    now = time.time()
    return Wait(
        push_id=f"push-{token}",
        server_id="proxy-1",
        msg_id=f"m-{token}",
        token=token,
        registration_token=None,
        provider="apple",
        app_id=APP,
        call_id=call_id,
        received_at=now - 5,
        expires_at=now + window_s,
    )


def test_waiting_calls_are_listed_with_the_earliest_deadline_first(pusher: Pusher, redis_url: str) -> None:
    assert pusher.done("waits", "list") == "0 waiting\n"
    with connect_redis(redis_url) as client:
        store = RedisWaits(client)
        store.add(wait_of("c\x1b1@proxy", token=TOKEN, window_s=60.0))
        store.add(wait_of(None, token="other", window_s=30.0))
    said = pusher.done("waits", "list")
    heading, first, second, count = said.splitlines()
    assert heading.split() == ["Call-ID", "Provider", "App", "Token", "Waiting", "for", "Gives", "up", "in"]
    assert first.split()[:3] == ["-", "apple", APP]
    assert second.split()[0] == "c\\x1b1@proxy"
    assert [row.split()[4][0] for row in (first, second)] == ["5", "5"]
    assert count == "2 waiting"
    assert TOKEN not in said


def test_redis_or_the_bus_being_away_is_one_line(pusher: Pusher) -> None:
    with reserve_port() as holder:
        port = port_of(holder)
        for variable, url, commands in (
            ("PUSHER_REDIS_URL", f"redis://:geheim@127.0.0.1:{port}/0", [("waits", "list")]),
            ("PUSHER_BUS_URL", f"amqp://u:geheim@127.0.0.1:{port}//", [("dead", "list"), ("dead", "requeue", "x")]),
        ):
            for command in commands:
                line = pusher.fails(*command, env={variable: url})
                assert "refused" in line
                assert "geheim" not in line


def test_dead_letters_are_listed_shown_and_put_back(pusher: Pusher, bus_url: str, publisher: BusPublisher) -> None:
    assert pusher.done("dead", "list") == "0 dead letters\n"
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(20.0))
        declare_queue(connection, registrations())
    headers = {"x-pusher-reason": "message_invalid", "x-pusher-at": "2026-01-31T12:00:00+00:00"}
    push = {"x-pusher-queue": "pusher.push_req", "x-pusher-exchange": "pushes"}
    body = json.dumps({"Token-ID": TOKEN, "Call-ID": "c1", "Strange": TOKEN}).encode()
    key = {"x-pusher-routing-key": f"notification.push.apple.{TOKEN}", "x-pusher-problem": "Token-App: is\nmissing"}
    publisher.bury(body, headers | push | key, "application/json")
    registration = {"x-pusher-queue": "pusher.reg_success", "x-pusher-exchange": "registrar"}
    key = {"x-pusher-routing-key": "registration.success.a.b", "x-pusher-problem": "body: is not JSON"}
    publisher.bury(b"\x1b[2J " + TOKEN.encode(), headers | registration | key, "text/plain")

    said = pusher.done("dead", "list")
    [_, first, second, count] = said.splitlines()
    assert first.endswith("  Token-App: is\\nmissing")
    assert second.split()[2:5] == ["pusher.reg_success", "message_invalid", str(5 + len(TOKEN))]
    assert count == "2 dead letters"
    ids = [line.split()[0] for line in (first, second)]

    shown = [pusher.done("dead", "show", letter_id) for letter_id in ids]
    assert "Call-ID" in shown[0]
    assert "\nExchange: pushes\n" in shown[0]
    assert "\x1b" not in shown[1]
    assert TOKEN not in said + "".join(shown)

    assert "no dead letter 0000000000" in pusher.fails("dead", "show", "0000000000")
    # A call is long over when somebody puts its letter back: it must be named.
    assert pusher.done("dead", "requeue", "--all") == "1 put back\n"
    assert counted(bus_url, "pusher.reg_success") == 1
    result = pusher("dead", "requeue", ids[0], "0000000000")
    assert (result.exit_code, result.stdout) == (1, "1 put back\n")
    assert result.stderr == "Error: 1 not found: see pusher dead list\n"
    message = taken(bus_url, "pusher.push_req")
    assert (message.body, message.delivery_info["routing_key"]) == (body, f"notification.push.apple.{TOKEN}")
    assert pusher.done("dead", "list") == "0 dead letters\n"


def test_a_letter_that_cannot_go_back_stays(pusher: Pusher, bus_url: str, publisher: BusPublisher) -> None:
    assert pusher.done("dead", "list") == "0 dead letters\n"
    put(bus_url, DEAD.name, b"from nowhere")
    assert pusher.done("dead", "requeue", "--all") == "0 put back\n"
    [letter] = DeadLetters(bus_url, publisher).read()
    said = pusher.fails("dead", "requeue", letter.letter_id)
    assert said == f"cannot go back, not from the bus or not kept whole: {letter.letter_id}"
    assert DeadLetters(bus_url, publisher).read() == [letter]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"apple": {"certificate": "hello"}}, "this is not PEM"),
        ({"apple": {"host": "h"}}, "no credential"),
        ({"firebase": {"api_key": "AIza"}}, "a legacy server key, which Google shut down"),
        ({"firebase": {"service_account": {"type": "service_account"}}}, "the service account lacks"),
    ],
)
def test_list_apps_names_a_credential_that_will_not_work(
    pusher: Pusher, documents: SQLiteDocuments, section: dict[str, Any], problem: str
) -> None:
    documents.save("system_config", {"_id": "pusher", APP: section})
    assert f"unusable: {problem}" in pusher.done("maintenance", "list-apps")


DEVICE = Device(account_id="0011223344556677889900aabbccddee", device_id="aabbccddeeff00112233445566778899")
TEST_PUSH = ("push", DEVICE.account_id, DEVICE.device_id)


@pytest.fixture
def staged(pusher: Pusher, stage: Stage, documents: SQLiteDocuments) -> Pusher:
    """The command, whose apps reach the simulated providers."""
    documents.save("system_config", stage.pusher_document())
    pusher.environment["PUSHER_CA_FILE"] = str(stage.authority.ca_file)
    return pusher


def save_push(documents: SQLiteDocuments, **entries: object) -> None:
    """Save the device's document."""
    push = {key.replace("_", "-"): value for key, value in entries.items()}
    documents.save(DEVICE.database, {"_id": DEVICE.device_id, "push": push})


@pytest.mark.parametrize("kind", list(AppKind))
def test_a_test_push_reaches_the_phone(staged: Pusher, stage: Stage, documents: SQLiteDocuments, kind: AppKind) -> None:
    handset = stage.handset(kind, wakes=False)
    save_push(documents, Token_ID=handset.token, Token_Type=handset.token_type, Token_App=handset.app_id)
    said = staged.done(*TEST_PUSH)
    [accepted] = stage.pushes_to(handset.token)
    assert f"Pushing to {handset.token_type} token #" in said
    assert f" ms as {accepted}.\n" in said
    assert handset.token not in said
    assert len(handset.pushed_at) == 1


def refused(staged: Pusher) -> tuple[str, dict[str, Any]]:
    """Have a push refused, and return what is said on standard output without `--json` and with it."""
    said = staged(*TEST_PUSH)
    as_json = staged(*TEST_PUSH, "--json")
    verdict = json.loads(as_json.stdout)
    assert (said.exit_code, as_json.exit_code) == (1, 1)
    assert said.stderr == as_json.stderr == f"Error: {verdict['reason']} ({printable(verdict['code'])})\n"
    return said.stdout, verdict


#: What a provider answers, and what is made of it: outcome, Push-Reason, and a piece of what is said with it.
VERDICTS = {
    AppKind.APPLE_KEY: [
        (503, "ServiceUnavailable", "try_later", "provider_unavailable", "APNs is unavailable."),
        (
            403,
            "InvalidProviderToken",
            "refused",
            "credential_refused",
            "key id, team id and key do not belong together",
        ),
        (400, "BadDeviceToken", "refused", "token_mismatch", "the other environment (sandbox or production)"),
        (413, "PayloadTooLarge", "refused", "payload_too_large", "the payload is too large"),
        (400, "BadTopic", "refused", "refused", "see setting apple.apns_topic"),
        (410, "Unregistered", "token_dead", "dead_token", "The app was removed from the device."),
    ],
    AppKind.FIREBASE: [
        (404, "UNREGISTERED", "token_dead", "dead_token", "The app was removed from the device."),
        (403, "SENDER_ID_MISMATCH", "refused", "token_mismatch", "another Firebase project"),
        (429, "QUOTA_EXCEEDED", "try_later", "provider_unavailable", "The project's quota is used up."),
    ],
}


@pytest.mark.parametrize("kind", VERDICTS)
def test_the_verdict_on_a_push_is_told_in_words(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments, kind: AppKind
) -> None:
    handset = stage.handset(kind)
    save_push(documents, Token_ID=handset.token, Token_Type=handset.token_type, Token_App=handset.app_id)
    provider = stage.fcm if kind is AppKind.FIREBASE else stage.apns
    for status, code, outcome, reason, sentence in VERDICTS[kind]:
        provider.next(Answer(status=status, reason=code), times=2, token=handset.token)
        said, verdict = refused(staged)
        assert (verdict["outcome"], verdict["reason"], verdict["code"]) == (outcome, reason, code)
        assert sentence in verdict["detail"]
        assert (verdict["means"], verdict["todo"]) == tuple(ADVICE[FailureReason(reason)])
        for words in (code, verdict["detail"], verdict["means"], verdict["todo"]):
            assert f" {words}\n" in said
        assert handset.token not in said + str(verdict)
    assert handset.pushed_at == []


def test_an_accepted_push_is_told_to_machines(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    handset = stage.handset(AppKind.FIREBASE, wakes=False)
    save_push(documents, Token_ID=handset.token, Token_Type="firebase", Token_App=handset.app_id)
    verdict = json.loads(staged.done(*TEST_PUSH, "--json"))
    assert (verdict["outcome"], verdict["provider"], verdict["app"]) == ("accepted", "firebase", handset.app_id)
    assert verdict["ref"] == stage.pushes_to(handset.token)[0]
    assert {verdict[name] for name in ("reason", "code", "detail", "means", "todo")} == {None}


def test_a_provider_that_is_away_is_told(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    handset = stage.handset(AppKind.APPLE_CERTIFICATE)
    save_push(documents, Token_ID=handset.token, Token_Type="apple", Token_App=handset.app_id)
    stage.apns.close()
    said, verdict = refused(staged)
    assert (verdict["outcome"], verdict["detail"]) == ("try_later", None)
    assert "cannot connect: Connection refused" in said


def test_a_device_that_is_not_known_is_told(staged: Pusher) -> None:
    assert staged.fails(*TEST_PUSH).startswith("the device has no document: ")


@pytest.mark.parametrize(
    "push",
    [
        {},
        {"Token_ID": TOKEN, "Token_Type": "apple"},
        {"Token_ID": 7, "Token_Type": "apple", "Token_App": "a"},
        {"Token_ID": "", "Token_Type": "apple", "Token_App": "a"},
    ],
)
def test_a_device_that_never_registered_is_told(
    staged: Pusher, documents: SQLiteDocuments, push: dict[str, object]
) -> None:
    save_push(documents, **push)
    assert staged.fails(*TEST_PUSH) == "no push token is known for this device: it must register first"


def test_an_app_or_a_provider_that_is_not_known_is_told(staged: Pusher, documents: SQLiteDocuments) -> None:
    save_push(documents, Token_ID=TOKEN, Token_Type="apple", Token_App="org.example.unknown")
    said, verdict = refused(staged)
    assert verdict["reason"] == "unknown_app"
    assert "Add the app under the id in the field app." in said
    documents_again = documents.read(DEVICE.database, DEVICE.device_id)
    documents_again["push"]["Token-Type"] = "pigeon\n"
    documents.save(DEVICE.database, documents_again)
    assert staged.fails(*TEST_PUSH) == "no push provider is known for Token-Type pigeon\\n"


def test_a_push_goes_out_though_redis_is_away(staged: Pusher, stage: Stage, documents: SQLiteDocuments) -> None:
    handset = stage.handset(AppKind.APPLE_KEY, wakes=False)
    save_push(documents, Token_ID=handset.token, Token_Type="apple", Token_App=handset.app_id)
    with reserve_port() as holder:
        assert "Accepted" in staged.done(*TEST_PUSH, env={"PUSHER_REDIS_URL": f"redis://127.0.0.1:{port_of(holder)}/0"})


def started(pusher: Pusher, *command: str, **environment: str) -> "subprocess.Popen[str]":
    """Start a real process."""
    ambient = {name: value for name, value in os.environ.items() if not name.startswith("PUSHER_")}
    return subprocess.Popen(
        command,
        env=ambient | pusher.environment | environment,
        cwd=pusher.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Return exit status, standard output and standard error."""
    try:
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode, stdout, stderr


PUSHER = str(Path(sys.executable).parent / "pusher")
SUP = str(ROOT / "scripts" / "sup")


def test_the_commands_that_kazoos_operators_know_by_heart(
    pusher: Pusher, authority: Authority, documents: SQLiteDocuments
) -> None:
    made = authority.client_certificate(topics=("org.example.app.voip",), bundle_id="org.example.app", key="ec")
    process = started(pusher, SUP, "pusher_maintenance", "add_apple_app", APP, str(made.path), "127.0.0.1:8443")
    status, stdout, stderr = ended(process)
    assert (status, stderr) == (0, "")
    assert stdout.startswith(f"Added {APP} with this certificate:\n")
    assert pusher_document.read(documents)[APP]["apple"] == {"certificate": made.pem, "host": "127.0.0.1:8443"}
    for wrong in ((), ("pusher_maintenance",), ("crossbar_maintenance", "status")):
        status, stdout, stderr = ended(started(pusher, SUP, *wrong))
        assert (status, stdout) == (2, "")
        assert stderr.startswith("usage: scripts/sup pusher_maintenance ")


def test_the_installed_command_ends_with_a_status_and_a_line(pusher: Pusher) -> None:
    failing = started(pusher, PUSHER, "maintenance", "show-app", "org.example.app")
    invalid = started(pusher, PUSHER, "listen", PUSHER_WAKE_WINDOW_S="soon")
    unknown = started(pusher, PUSHER, "no-such-command")
    assert ended(failing) == (1, "", "Error: org.example.app: is not known: see pusher maintenance list-apps\n")
    assert ended(invalid) == (1, "", "Error: PUSHER_WAKE_WINDOW_S: is not a number of seconds\n")
    status, stdout, stderr = ended(unknown)
    assert (status, stdout, stderr.splitlines()[-1]) == (2, "", "Error: No such command 'no-such-command'.")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_listener_ends_soon_after_a_signal_even_while_its_broker_hangs(
    pusher: Pusher, bus_url: str, number: signal.Signals
) -> None:
    with Relay(bus_url) as relay:
        relay.freeze()
        process = started(pusher, PUSHER, "listen", PUSHER_BUS_URL=relay.url)
        try:
            until(lambda: len(relay.received) >= 3, what="all three consumers connect")
            began = time.monotonic()
            process.send_signal(number)
            status, _, stderr = ended(process)
            assert time.monotonic() - began < 2.5
        finally:
            process.kill()
    assert status == 0
    assert "listener stopped" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr
