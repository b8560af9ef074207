"""Every way to hand over a wrong credential ends in a sentence of its own, before anything is saved."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from pusher.clock import utcnow
from pusher.documents import pusher_document
from pusher.documents.sqlite import SQLiteDocuments
from pusher.simulators.authority import Authority
from tests.unit.cli.running import Pusher
from tests.unit.providers.issued import certificate_pem, elliptic_key, key_pem, rsa_key, service_account

APP = "org.example.app.voip.prod"
KEY = elliptic_key()
NOW = utcnow()
VALID = certificate_pem(KEY, start=NOW - timedelta(days=1), end=NOW + timedelta(days=30, hours=1))


def encrypted(form: PrivateFormat) -> str:
    """Return the key, encrypted."""
    return KEY.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")).decode()


def aged(start_days: int, end_days: int) -> str:
    """Return a certificate with its key, valid between days from now."""
    return certificate_pem(KEY, start=NOW + timedelta(days=start_days), end=NOW + timedelta(days=end_days)) + PEM_KEY


PEM_KEY = key_pem(KEY)

CERTIFICATES: dict[str, tuple[str | bytes, str]] = {
    "certificate without key": (VALID, "it holds a certificate but no private key: export both from the keychain"),
    "key without certificate": (PEM_KEY, "it holds a private key but no certificate"),
    "encrypted key": (VALID + encrypted(PrivateFormat.PKCS8), "the private key is encrypted"),
    "encrypted old key": (VALID + encrypted(PrivateFormat.TraditionalOpenSSL), "the private key is encrypted"),
    "another one's key": (VALID + key_pem(elliptic_key()), "the private key does not belong to the certificate"),
    "expired": (aged(-400, -35), f"the certificate expired on {NOW - timedelta(days=35):%Y-%m-%d}: renew it"),
    "not yet valid": (aged(2, 300), f"the certificate is not valid before {NOW + timedelta(days=2):%Y-%m-%d}"),
    "no PEM": ("hello", "this is not PEM"),
    "binary": (b"\x00\xff\x01", "this is not PEM"),
    "empty": ("", "this is not PEM"),
    "cut off": (VALID[:200], "this is not PEM"),
    "damaged": (VALID.replace("MII", "AAA") + PEM_KEY, "the certificate is damaged"),
    "too large": (b"-" * 300_000, "too large for a credential"),
}

KEYS: dict[str, tuple[str, str, str, str]] = {
    "RSA": (key_pem(rsa_key()), "ABCDE12345", "TEAM123456", "not an APNs key: those are elliptic, on the curve P-256"),
    "P-384": (key_pem(ec.generate_private_key(ec.SECP384R1())), "ABCDE12345", "TEAM123456", "on the curve P-256"),
    "certificate": (VALID, "ABCDE12345", "TEAM123456", "it holds no private key: take the file AuthKey_"),
    "no PEM": ("hello", "ABCDE12345", "TEAM123456", "this is not PEM"),
    "encrypted": (encrypted(PrivateFormat.PKCS8), "ABCDE12345", "TEAM123456", "the private key is encrypted"),
    "key id in small letters": (PEM_KEY, "abcde12345", "TEAM123456", "the key id is not 10 characters"),
    "key id too short": (PEM_KEY, "ABCDE1234", "TEAM123456", "the key id is not 10 characters"),
    "team id is a name": (PEM_KEY, "ABCDE12345", "Example Inc.", "the team id is not 10 characters"),
    "too large": ("-" * 300_000, "ABCDE12345", "TEAM123456", "too large for a credential"),
}


def account(**changes: Any) -> str:
    """Return a service account's JSON with changes, None meaning absent."""
    return json.dumps(service_account(**changes))


ACCOUNTS: dict[str, tuple[str, str]] = {
    "not JSON": ("AIza-looks-like-a-key", "this is not JSON"),
    "empty": ("", "this is not JSON"),
    "no object": ("[]", "this JSON is not an object"),
    "google-services.json": ('{"project_info": {}}', "its type is not service_account: google-services.json"),
    **{
        f"no {name}": (account(**{name: None}), f"the service account lacks {name}")
        for name in ("project_id", "private_key_id", "private_key", "client_email", "token_uri")
    },
    "two missing": (account(project_id=None, token_uri=None), "lacks project_id, token_uri"),
    "a number for a text": (account(client_email=7), "lacks client_email"),
    "damaged key": (account(private_key="-----BEGIN PRIVATE KEY-----"), "private_key is damaged"),
    "elliptic key": (account(private_key=PEM_KEY), "private_key is not an RSA key"),
    "token_uri without TLS": (account(token_uri="http://oauth2.example.com/token"), "not an https address"),
    "project_id with a slash": (account(project_id="a/../b"), "project_id is not a project id"),
    "too large": ("{" * 300_000, "too large for a credential"),
}


def saved(pusher: Pusher) -> dict[str, Any] | None:
    """Return the pusher document without its revision, None where there is none."""
    if not (pusher.folder / "pusher.db").exists():
        return None
    documents = SQLiteDocuments(pusher.folder / "pusher.db")
    document = pusher_document.read(documents)
    documents.close()
    document.pop("_rev", None)
    return document


def problem(pusher: Pusher, *command: str, path: Path | str, typed: str | None = None) -> str:
    """Return the sentence, checked for what all have in common."""
    sentence = pusher.fails("maintenance", *command, typed=typed)
    assert sentence.startswith(f"{path}: ")
    for secret in (PEM_KEY, key_pem(rsa_key())):
        assert secret.splitlines()[1] not in sentence
    assert saved(pusher) is None
    return sentence.removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_that_will_not_work(pusher: Pusher, tmp_path: Path, name: str) -> None:
    content, sentence = CERTIFICATES[name]
    path = tmp_path / "push.pem"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert sentence in problem(pusher, "add-apple-app", APP, str(path), path=path)


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_will_not_work(pusher: Pusher, tmp_path: Path, name: str) -> None:
    content, key_id, team_id, sentence = KEYS[name]
    path = tmp_path / "AuthKey.p8"
    path.write_text(content)
    assert sentence in problem(pusher, "add-apple-key", APP, str(path), key_id, team_id, path=path)


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_service_account_that_will_not_work(pusher: Pusher, tmp_path: Path, name: str) -> None:
    content, sentence = ACCOUNTS[name]
    path = tmp_path / "account.json"
    path.write_text(content)
    assert sentence in problem(pusher, "add-firebase-app", APP, str(path), path=path)


COMMANDS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "add-apple-app": lambda path: ("add-apple-app", APP, path),
    "add-apple-key": lambda path: ("add-apple-key", APP, path, "ABCDE12345", "TEAM123456"),
    "add-firebase-app": lambda path: ("add-firebase-app", APP, path),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_cannot_be_read(pusher: Pusher, tmp_path: Path, command: str) -> None:
    for path, sentence in (
        (tmp_path / "missing.pem", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        assert problem(pusher, *COMMANDS[command](str(path)), path=path) == sentence


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("host", ["https://api.push.apple.com", "host:port", "host:0", "a b", ""])
def test_a_host_that_is_none(pusher: Pusher, authority: Authority, tmp_path: Path, command: str, host: str) -> None:
    contents = {"add-apple-app": VALID + PEM_KEY, "add-apple-key": PEM_KEY, "add-firebase-app": account()}
    path = tmp_path / "credential"
    path.write_text(contents[command])
    assert pusher.fails("maintenance", *COMMANDS[command](str(path)), host).startswith("host: ")
    assert saved(pusher) is None


@pytest.mark.parametrize(
    "key",
    [
        "AIzaSyA-1234567890abcdefghijklmnopqrstu",
        "AAAAbCdEfGh:APA91b" + "x" * 134,
        # Too long for the name of a file, for which it might be taken.
        "AAAAbCdEfGh:APA91b" + "x" * 300,
    ],
)
def test_a_legacy_key_is_refused_with_an_explanation(pusher: Pusher, key: str) -> None:
    sentence = pusher.fails("maintenance", "add-firebase-app", APP, key)
    assert sentence.startswith("this is a legacy server key, and Google has shut down the API it was for")
    assert key[:12] not in sentence
    assert saved(pusher) is None


def test_a_file_whose_name_looks_like_a_legacy_key_is_read(
    pusher: Pusher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("AIzaSyA-1234567890abcdefghijklmnopqrstu").write_text(account())
    pusher.done("maintenance", "add-firebase-app", APP, "AIzaSyA-1234567890abcdefghijklmnopqrstu")


def p12(tmp_path: Path, password: bytes | None, *, key: Any = KEY, name: str = "push.p12") -> Path:
    """Write a .p12 file."""
    certificate = x509.load_pem_x509_certificate(VALID.encode())
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    path = tmp_path / name
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"push", key, certificate, None, encryption))
    return path


@pytest.mark.parametrize(("password", "typed"), [(b"right", "right\n"), (None, "\n"), ("sésame".encode(), "sésame\n")])
def test_a_p12_file_asks_for_its_password_and_is_saved_as_pem(
    pusher: Pusher, tmp_path: Path, password: bytes | None, typed: str
) -> None:
    said = pusher.done("maintenance", "add-apple-app", APP, str(p12(tmp_path, password)), typed=typed)
    assert "Password of the .p12 file" in said
    assert password is None or typed.strip() not in said
    document = saved(pusher)
    assert document is not None
    certificate = document[APP]["apple"]["certificate"]
    assert "BEGIN CERTIFICATE" in certificate
    assert "BEGIN PRIVATE KEY" in certificate


@pytest.mark.parametrize("name", ["push.p12", "push.PFX", "no-ending"])
def test_a_p12_file_is_known_by_its_name_or_its_first_byte(pusher: Pusher, tmp_path: Path, name: str) -> None:
    path = p12(tmp_path, b"right", name=name)
    for typed in ("wrong\n", "\n"):
        sentence = problem(pusher, "add-apple-app", APP, str(path), path=path, typed=typed)
        assert sentence == "the password of the .p12 file is wrong, or the file is damaged"


def test_a_p12_file_without_key_or_without_sense(pusher: Pusher, tmp_path: Path) -> None:
    path = p12(tmp_path, b"right", key=None)
    sentence = problem(pusher, "add-apple-app", APP, str(path), path=path, typed="right\n")
    assert sentence.startswith("the .p12 file holds no private key")
    path.write_text(VALID)
    assert problem(pusher, "add-apple-app", APP, str(path), path=path, typed="x\n") == "this is not a .p12 file"


def test_nothing_is_saved_where_the_password_is_not_given(pusher: Pusher, tmp_path: Path) -> None:
    result = pusher("maintenance", "add-apple-app", APP, str(p12(tmp_path, b"right")), typed="")
    assert result.exit_code == 1
    assert result.stderr.strip() == "Aborted."
    assert saved(pusher) is None


def test_a_certificate_is_saved_whole_and_what_it_is_good_for_is_said(pusher: Pusher, authority: Authority) -> None:
    topics = ("org.example.app", "org.example.app.voip")
    # Half a day more than the days, for the clock goes on.
    made = authority.client_certificate(topics=topics, bundle_id="org.example.app", days=90, key="ec")
    said = pusher.done("maintenance", "add-apple-app", APP, str(made.path), "127.0.0.1:8443").splitlines()
    assert said == [
        f"Added {APP} with this certificate:",
        "  bundle id:    org.example.app",
        "  topics:       org.example.app, org.example.app.voip",
        "  environments: development, production",
        f"  valid until:  {made.certificate.not_valid_after_utc:%Y-%m-%d} (89 days left)",
    ]
    assert saved(pusher) == {
        "_id": "pusher",
        APP: {"apple": {"certificate": made.pem, "host": "127.0.0.1:8443"}},
    }


def test_a_key_and_a_service_account_are_saved_whole(pusher: Pusher, authority: Authority) -> None:
    key = authority.auth_key("ABCDE12345", "TEAM123456")
    google = authority.service_account("example", "https://oauth2.example.com/token")
    said = pusher.done("maintenance", "add-apple-key", APP, str(key.path), key.key_id, key.team_id)
    assert said == f"Added {APP} with key ABCDE12345 of team TEAM123456.\n"
    said = pusher.done("maintenance", "add-firebase-app", APP, str(google.path))
    assert said == f"Added {APP} with service account {google.fields['client_email']} of example.\n"
    token_key = {"key_id": "ABCDE12345", "team_id": "TEAM123456", "private_key": key.pem}
    assert saved(pusher) == {
        "_id": "pusher",
        APP: {"apple": {"token_key": token_key}, "firebase": {"service_account": google.fields}},
    }


def test_a_wrong_credential_leaves_the_one_before_in_place(
    pusher: Pusher, authority: Authority, tmp_path: Path
) -> None:
    key = authority.auth_key("ABCDE12345", "TEAM123456")
    pusher.done("maintenance", "add-apple-key", APP, str(key.path), key.key_id, key.team_id)
    before = saved(pusher)
    (tmp_path / "bad.p8").write_text("hello")
    pusher.fails("maintenance", "add-apple-key", APP, str(tmp_path / "bad.p8"), key.key_id, key.team_id)
    assert saved(pusher) == before


@pytest.mark.parametrize(
    ("app_id", "host", "hinted"),
    [("org.example.app.dev", (), True), ("org.example.app.dev", ("h:1",), False), ("org.example.app.prod", (), False)],
)
def test_a_development_app_without_a_host_is_told_about_the_sandbox(
    pusher: Pusher, authority: Authority, app_id: str, host: tuple[str, ...], hinted: bool
) -> None:
    key = authority.auth_key("ABCDE12345", "TEAM123456")
    result = pusher("maintenance", "add-apple-key", app_id, str(key.path), key.key_id, key.team_id, *host)
    assert result.exit_code == 0
    assert ("Hint" in result.stderr and "api.sandbox.push.apple.com" in result.stderr) == hinted
    assert "Hint" not in result.stdout
