"""What `pusher check` sees of Redis, documents and settings."""

from pathlib import Path

import pytest
import redis

from pusher.documents import pusher_document
from pusher.documents.sealed import SecretKeys, make_key, name_of
from pusher.documents.sqlite import SQLiteDocuments
from pusher.simulators.stage import AppKind, Stage
from pusher.stores import inspection
from tests.integration.check.checking import STOPPED, bad, checked
from tests.support.child import port_of, reserve_port
from tests.support.redis import RedisServer
from tests.unit.cli.running import Pusher


def test_redis_says_its_version(staged: Pusher, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        version = client.info("server")["redis_version"]
    finding = checked(staged, "--offline")["redis"]
    assert (finding["status"], finding["facts"]["version"]) == ("ok", version)


def test_a_redis_that_is_too_old_fails(staged: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "OLDEST", (99, 0))
    findings = checked(staged, "--offline")
    assert bad(findings) == {"redis"}
    assert "is too old" in findings["redis"]["text"]


def test_a_redis_that_takes_no_writes_fails(staged: Pusher, redis_url: str) -> None:
    with reserve_port() as holder, redis.Redis.from_url(redis_url) as client:
        client.replicaof("127.0.0.1", str(port_of(holder)))
        try:
            findings = checked(staged, "--offline")
        finally:
            client.replicaof("NO", "ONE")
    assert bad(findings) == {"redis"}
    assert "point PUSHER_REDIS_URL at the primary" in findings["redis"]["text"]


def test_a_redis_that_is_full_and_refuses_writes_fails(staged: Pusher, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "1")
        try:
            findings = checked(staged, "--offline")
        finally:
            client.config_set("maxmemory", "0")
    assert bad(findings) == {"redis"}
    assert "no call is answered when its phone registers" in findings["redis"]["text"]


def test_a_redis_that_may_drop_waiting_calls_is_warned_of(staged: Pusher, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert checked(staged, "--offline")["redis"]["status"] == "ok"
            client.config_set("maxmemory", "100mb")
            finding = checked(staged, "--offline")["redis"]
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")
    assert finding["status"] == "warn"
    assert "maxmemory-policy is allkeys-lru" in finding["text"]


def test_a_redis_that_tells_our_user_nothing_is_reached_all_the_same(staged: Pusher, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser("limited", enabled=True, passwords=["+geheim"], keys=["*"], commands=["+@all", "-info"])
        try:
            url = redis_url.replace("redis://", "redis://limited:geheim@")
            finding = checked(staged, "--offline", PUSHER_REDIS_URL=url)["redis"]
        finally:
            client.acl_deluser("limited")
    assert (finding["status"], finding["text"].partition(";")[0]) == ("warn", "reached")


def test_redis_or_documents_being_away_fails_for_themselves(staged: Pusher) -> None:
    with reserve_port() as holder:
        url = f"redis://:geheim@127.0.0.1:{port_of(holder)}/0"
        findings = checked(staged, "--offline", PUSHER_REDIS_URL=url)
    assert bad(findings) == {"redis"}
    # Who waits stands in Redis.
    assert findings["waiting calls"]["status"] == "warn"
    assert "geheim" not in str(findings)
    findings = checked(staged, "--offline", PUSHER_DOCUMENTS_URL="sqlite:////no/such/folder/pusher.db")
    assert bad(findings) == {"documents"}
    # Without the apps, every queue might be needed.
    assert {findings[f"queue push.{name}"]["status"] for name in ("apple", "firebase")} == {"failed"}


def test_a_redis_that_hangs_costs_seconds(staged: Pusher, redis_server: RedisServer) -> None:
    with redis_server.paused():
        findings = checked(staged, "--offline")
    assert bad(findings) == {"redis"}


def test_an_installation_without_any_app_fails(pusher: Pusher, documents: SQLiteDocuments) -> None:
    findings = checked(pusher)
    assert bad(findings) == {"apps"}
    assert findings["documents"]["status"] == "warn"
    assert findings["documents"]["facts"] == {"exists": False}


def test_what_the_document_says_in_vain_is_told_line_by_line(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments
) -> None:
    document = pusher_document.read(documents)
    document["default"] = {"User-Agents": {"Broken": {"regex": "(", "properties": {"Token-ID": "t"}}, "Odd": 7}}
    document["com.example.softphone"]["firebase"]["enabled"] = "perhaps"
    documents.save("system_config", document)
    # Each has a line of its own, and none in a log.
    assert staged("check", "--offline").stderr == f"Error: {len(STOPPED)} of the above failed\n"
    findings = checked(staged, "--offline")
    told = {subject for subject in findings if subject.startswith("setting ")}
    assert told == {
        "setting User-Agents.Broken.regex",
        "setting User-Agents.Odd",
        "setting com.example.softphone.firebase.enabled",
    }
    assert told <= bad(findings, "warn")
    problem = findings["setting com.example.softphone.firebase.enabled"]
    assert problem["text"].startswith("is neither true nor false, and is skipped")
    assert findings["User-Agents"]["status"] == "warn"


def test_a_zone_that_the_document_does_not_know_is_warned_of(staged: Pusher, documents: SQLiteDocuments) -> None:
    zone = {"PUSHER_ZONE": "us-east"}
    assert "has no such section" in checked(staged, "--offline", **zone)["zone"]["text"]
    documents.save("system_config", {**pusher_document.read(documents), "us-east": {"apple": {}}})
    assert "zone" not in checked(staged, "--offline", **zone)
    assert "zone" not in checked(staged, "--offline")


def test_a_ca_file_that_holds_no_certificate_is_a_line_and_hides_nothing(staged: Pusher, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    findings = checked(staged, PUSHER_CA_FILE=str(tmp_path / "empty.pem"))
    assert bad(findings) == {"providers"}
    assert findings["providers"]["text"].startswith("PUSHER_CA_FILE: ")
    assert "app com.example.softphone (firebase)" in findings


def test_credentials_are_not_mentioned_where_nobody_encrypts(staged: Pusher) -> None:
    assert "credentials" not in checked(staged, "--offline")


def test_how_credentials_are_saved_is_told_and_warned_of_until_all_are_encrypted_with_the_first_key(
    staged: Pusher,
) -> None:
    old, new = make_key(), make_key()
    encrypt = ("maintenance", "encrypt-credentials")

    def told(keys: str) -> tuple[str, str, dict[str, int]]:
        finding = checked(staged, "--offline", PUSHER_SECRET_KEY=keys)["credentials"]
        return finding["status"], finding["text"], finding["facts"]

    facts = {"plain": 0, "encrypted": 0, "older_key": 0, "unreadable": 0}
    status, text, found = told(old)
    assert (status, found) == ("warn", {**facts, "plain": 3})
    assert text == (
        f"3 of 3 saved plain: pusher maintenance encrypt-credentials; 0 of 3 encrypted with key #{name_of(old)}"
    )
    staged.done(*encrypt, env={"PUSHER_SECRET_KEY": old})
    assert told(old) == ("ok", f"3 of 3 encrypted with key #{name_of(old)}", {**facts, "encrypted": 3})
    status, text, found = told(f"{new},{old}")
    assert (status, found) == ("warn", {**facts, "older_key": 3})
    assert text.startswith(
        f"3 of 3 encrypted with an older key than key #{name_of(new)}, which is needed until all are"
    )
    assert "pusher maintenance encrypt-credentials" in text
    staged.done(*encrypt, env={"PUSHER_SECRET_KEY": f"{new},{old}"})
    assert told(new)[:2] == ("ok", f"3 of 3 encrypted with key #{name_of(new)}")


def test_a_credential_that_cannot_be_decrypted_fails_its_app_and_no_other(
    staged: Pusher, stage: Stage, documents: SQLiteDocuments
) -> None:
    key, other = make_key(), make_key()
    document = pusher_document.read(documents)
    apple = document[AppKind.APPLE_CERTIFICATE]["apple"]
    apple["certificate"] = SecretKeys((key,)).seal(apple["certificate"])
    documents.save("system_config", document)
    sound = {f"app {kind} ({'firebase' if kind is AppKind.FIREBASE else 'apple'})" for kind in AppKind}
    broken = f"app {AppKind.APPLE_CERTIFICATE} (apple)"
    for keys, why in (("", "and PUSHER_SECRET_KEY is not set"), (other, "which is not in PUSHER_SECRET_KEY")):
        findings = checked(staged, PUSHER_SECRET_KEY=keys)
        assert bad(findings) == {broken}
        assert findings[broken]["text"] == f"it is encrypted with key #{name_of(key)}, {why}"
        assert findings["credentials"]["facts"]["unreadable"] == 1
        assert "1 of 3 cannot be decrypted" in findings["credentials"]["text"]
        assert {findings[subject]["facts"]["live"] for subject in sound - {broken}} == {"ok"}
    findings = checked(staged, PUSHER_SECRET_KEY=key)
    assert bad(findings) == set()
    assert findings[broken]["facts"]["live"] == "ok"


def test_another_credential_that_cannot_be_decrypted_is_warned_of(staged: Pusher, documents: SQLiteDocuments) -> None:
    document = pusher_document.read(documents)
    for kind, key in ((AppKind.APPLE_KEY, "certificate"), (AppKind.APPLE_CERTIFICATE, "token_key")):
        token_key = {**document[AppKind.APPLE_KEY]["apple"]["token_key"], "private_key": "fernet:"}
        document[kind]["apple"][key] = "fernet:" if key == "certificate" else token_key
    documents.save("system_config", document)
    findings = checked(staged)
    assert bad(findings) == set()
    for kind in (AppKind.APPLE_KEY, AppKind.APPLE_CERTIFICATE):
        finding = findings[f"app {kind} (apple)"]
        assert (finding["status"], finding["facts"]["live"]) == ("warn", "ok")
        said = "another credential of the app is not used: its encrypted form is damaged: add it again; "
        assert finding["text"].startswith(said)


def test_a_credential_of_the_default_that_cannot_be_decrypted_is_no_legacy_key(
    staged: Pusher, documents: SQLiteDocuments
) -> None:
    document = pusher_document.read(documents)
    document["default"]["firebase"] = {"service_account": "fernet:", "api_key": "AAAA"}
    documents.save("system_config", document)
    findings = checked(staged, "--offline")
    assert bad(findings) == {"app default (firebase)"}
    assert findings["app default (firebase)"]["text"] == "its encrypted form is damaged: add it again"
