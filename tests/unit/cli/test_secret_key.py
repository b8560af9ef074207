"""The commands about PUSHER_SECRET_KEY, and what the others do with it; nothing says a key or a credential."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pusher.documents.sealed import SecretKeys, make_key, name_of
from pusher.documents.sqlite import SQLiteDocuments
from pusher.simulators.authority import Authority
from tests.unit.cli.running import Pusher

KEY_APP, CERTIFICATE_APP, FIREBASE_APP = "org.example.key.voip", "org.example.cert.voip", "org.example.app"
OLD, NEW, LOST = make_key(), make_key(), make_key()
OLDER, ROTATING, NEWER = ({"PUSHER_SECRET_KEY": keys} for keys in (OLD, f"{NEW},{OLD}", NEW))
ENCRYPT, DECRYPT = ("maintenance", "encrypt-credentials"), ("maintenance", "decrypt-credentials")

Add = Callable[[dict[str, str]], None]


@pytest.fixture
def add(pusher: Pusher, authority: Authority) -> Add:
    """Add three apps, one with each kind of credential, in an environment."""
    key = authority.auth_key("ABCDE12345", "TEAM123456")
    certificate = authority.client_certificate(topics=(CERTIFICATE_APP,), bundle_id="org.example.cert", key="ec")
    account = authority.service_account("example", "https://oauth2.example.com/token")

    def add(environment: dict[str, str]) -> None:
        pusher.done("maintenance", "add-apple-key", KEY_APP, str(key.path), key.key_id, key.team_id, env=environment)
        pusher.done("maintenance", "add-apple-app", CERTIFICATE_APP, str(certificate.path), env=environment)
        pusher.done("maintenance", "add-firebase-app", FIREBASE_APP, str(account.path), env=environment)

    return add


def read(pusher: Pusher) -> dict[str, Any]:
    """Return the pusher document."""
    documents = SQLiteDocuments(pusher.folder / "pusher.db")
    document = documents.read("system_config", "pusher")
    documents.close()
    return document


def save(pusher: Pusher, document: dict[str, Any]) -> None:
    """Save the pusher document."""
    documents = SQLiteDocuments(pusher.folder / "pusher.db")
    documents.save("system_config", document)
    documents.close()


def stored(document: dict[str, Any]) -> list[Any]:
    """Return the three credentials as they are saved."""
    return [
        document[KEY_APP]["apple"]["token_key"]["private_key"],
        document[CERTIFICATE_APP]["apple"]["certificate"],
        document[FIREBASE_APP]["firebase"]["service_account"],
    ]


def keyed(pusher: Pusher) -> set[str]:
    """Return the names of the keys that the credentials are encrypted with."""
    return {value.split(":")[1] for value in stored(read(pusher))}


def listed(pusher: Pusher, environment: dict[str, str]) -> list[str]:
    """Return what `list-apps` says of each app."""
    said = pusher.done("maintenance", "list-apps", env=environment)
    return [" ".join(line.split()[2:]) for line in said.splitlines()[1:]]


def test_a_new_key_stands_alone_on_standard_output_and_its_name_on_the_other(pusher: Pusher) -> None:
    result = pusher("maintenance", "make-secret-key", env={"PUSHER_SECRET_KEY": "broken"})
    assert result.exit_code == 0
    key = result.stdout.removesuffix("\n")
    assert SecretKeys((key,)).names == (name_of(key),)
    assert result.stderr == f"This is key #{name_of(key)}. What it encrypts is lost without it.\n"
    assert pusher.done("maintenance", "make-secret-key") != result.stdout


def test_with_a_key_every_command_saves_its_credential_encrypted(pusher: Pusher, add: Add) -> None:
    add({})
    plain = listed(pusher, {})
    add(NEWER)
    document = read(pusher)
    assert all(value.startswith(f"fernet:{name_of(NEW)}:") for value in stored(document))
    assert "PRIVATE" not in json.dumps(document)
    assert "CERTIFICATE" not in json.dumps(document)
    assert document[KEY_APP]["apple"]["token_key"].keys() == {"key_id", "team_id", "private_key"}
    assert listed(pusher, NEWER) == plain


def test_without_a_key_nothing_is_encrypted(pusher: Pusher, add: Add) -> None:
    add({})
    text = json.dumps(read(pusher))
    assert "fernet:" not in text
    assert text.count("PRIVATE KEY") == 6


@pytest.mark.parametrize(
    ("environment", "why"), [({}, "and PUSHER_SECRET_KEY is not set"), (OLDER, "which is not in PUSHER_SECRET_KEY")]
)
def test_apps_whose_key_is_missing_are_listed_with_what_is_missing(
    pusher: Pusher, add: Add, environment: dict[str, str], why: str
) -> None:
    add(NEWER)
    said = f"unusable: it is encrypted with key #{name_of(NEW)}, {why}"
    assert listed(pusher, environment) == [said] * 3
    shown = pusher.done("maintenance", "show-app", KEY_APP, env=environment)
    assert said in shown
    assert stored(read(pusher))[0] not in shown
    assert NEW not in shown


def test_another_credential_that_is_not_used_is_told_beside_the_one_that_is(pusher: Pusher, add: Add) -> None:
    add(NEWER)
    document = read(pusher)
    document[CERTIFICATE_APP]["apple"]["token_key"] = {
        **document[KEY_APP]["apple"]["token_key"],
        "private_key": "fernet:",
    }
    save(pusher, document)
    said = listed(pusher, NEWER)[1]
    assert said.startswith(f"apple, certificate for {CERTIFICATE_APP}")
    assert said.endswith("; another credential is not used: its encrypted form is damaged: add it again")


def test_encrypting_rotating_and_decrypting_tell_how_many_and_bring_back_the_document(pusher: Pusher, add: Add) -> None:
    add({})
    before = read(pusher)
    assert pusher.done(*ENCRYPT, env=OLDER) == (
        f"Key #{name_of(OLD)}: 3 encrypted, 0 encrypted anew, 0 already encrypted with it.\n"
    )
    assert keyed(pusher) == {name_of(OLD)}
    assert pusher.done(*ENCRYPT, env=ROTATING) == (
        f"Key #{name_of(NEW)}: 0 encrypted, 3 encrypted anew, 0 already encrypted with it.\n"
    )
    assert keyed(pusher) == {name_of(NEW)}
    rev = read(pusher)["_rev"]
    assert pusher.done(*ENCRYPT, env=NEWER) == (
        f"Key #{name_of(NEW)}: 0 encrypted, 0 encrypted anew, 3 already encrypted with it.\n"
    )
    assert read(pusher)["_rev"] == rev, "nothing to save"
    assert pusher.done(*DECRYPT, env=NEWER) == "3 decrypted, 0 already plain.\n"
    after = read(pusher)
    assert json.dumps({**after, "_rev": before["_rev"]}) == json.dumps(before)
    assert pusher.done(*DECRYPT) == "0 decrypted, 3 already plain.\n"
    assert read(pusher)["_rev"] == after["_rev"], "nothing to save"


@pytest.mark.parametrize("command", [ENCRYPT, DECRYPT])
def test_what_cannot_be_decrypted_is_named_and_the_others_are_done(
    pusher: Pusher, add: Add, command: tuple[str, ...]
) -> None:
    add(OLDER)
    document = read(pusher)
    lost = SecretKeys((LOST,)).seal("<LOST>")
    document["org.lost"] = {"apple": {"certificate": lost}}
    save(pusher, document)
    result = pusher(*command, env=ROTATING)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"org.lost.apple.certificate: it is encrypted with key #{name_of(LOST)}, which is not in PUSHER_SECRET_KEY",
        "Error: 1 of 4 credentials cannot be decrypted and stay as is",
    ]
    after = read(pusher)
    assert after["org.lost"] == document["org.lost"]
    if command == ENCRYPT:
        assert keyed(pusher) == {name_of(NEW)}
    else:
        assert "fernet:" not in json.dumps(stored(after))


def test_without_a_key_encrypting_says_how_to_make_one_and_decrypting_what_is_missing(pusher: Pusher, add: Add) -> None:
    assert pusher.fails(*ENCRYPT) == "PUSHER_SECRET_KEY: is not set: see pusher maintenance make-secret-key"
    add(NEWER)
    before = read(pusher)
    result = pusher(*DECRYPT)
    assert result.exit_code == 1
    assert result.stderr.count("and PUSHER_SECRET_KEY is not set\n") == 3
    assert read(pusher) == before


def test_with_no_document_there_is_nothing_to_do(pusher: Pusher) -> None:
    assert "0 encrypted, 0 encrypted anew, 0 already" in pusher.done(*ENCRYPT, env=NEWER)
    assert pusher.done(*DECRYPT, env=NEWER) == "0 decrypted, 0 already plain.\n"


def test_a_key_that_is_none_stops_a_command_before_it_saves_something_plain(
    pusher: Pusher, authority: Authority
) -> None:
    key = authority.auth_key("ABCDE12345", "TEAM123456")
    broken = {"PUSHER_SECRET_KEY": f"{NEW[:-2]}"}
    arguments = ("maintenance", "add-apple-key", KEY_APP, str(key.path), key.key_id, key.team_id)
    said = pusher.fails(*arguments, env=broken)
    assert said.startswith("PUSHER_SECRET_KEY: its value is not a key")
    assert NEW[:20] not in said
    assert not (pusher.folder / "pusher.db").exists()
