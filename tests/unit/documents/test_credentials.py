"""All credentials of a document at once: which there are, what changes, and what stays as it is."""

import copy
import json
from typing import Any

import pytest

from pusher.documents import credentials
from pusher.documents.credentials import Form
from pusher.documents.sealed import NO_KEYS, SecretKeys, make_key

OLD, NEW, LOST = make_key(), make_key(), make_key()
OLDER, ROTATING, NEWER = SecretKeys((OLD,)), SecretKeys((NEW, OLD)), SecretKeys((NEW,))
KEY = {"team_id": "DEF123GHIJ", "private_key": "<P8>", "key_id": "ABC123DEFG", "odd": [1]}
ACCOUNT = {"type": "service_account", "private_key": "<KEY>", "number": 7}
PLAIN: dict[str, Any] = {
    "_id": "pusher",
    "_rev": "7-a",
    "zone-1": {"apple": {"certificate": "<ZONE>"}, "log_roller": 5},
    "pvt_apple": {"apple": {"certificate": "Kazoo's own"}},
    "default": {"User-Agents": {}, "firebase": {"api_key": "AAAA", "service_account": ACCOUNT}},
    "org.b": {"apple": {"host": "h", "certificate": "<B>", "unknown": {"certificate": "x"}, "token_key": KEY}},
    "pusher@node": {"apple": {"certificate": "<NODE>"}},
    "org.a": {
        "firebase": {"api_key": "BBBB"},
        "apple": {"certificate": ""},
        "huawei": {"service_account": {"of": "others"}},
    },
    "odd": "text",
    "odder": {"apple": [], "firebase": {"service_account": "text"}},
    "oddest": {"apple": {"certificate": 7, "token_key": "text"}, "firebase": {"service_account": {}}},
}
PATHS = [
    "zone-1.apple.certificate",
    "default.firebase.service_account",
    "org.b.apple.certificate",
    "org.b.apple.token_key",
    "pusher@node.apple.certificate",
]


def forms(document: dict[str, Any], keys: SecretKeys) -> list[Form]:
    """Return the form of every credential."""
    return [each.form for each in credentials.in_document(document, keys)]


def encrypted(document: dict[str, Any], keys: SecretKeys) -> tuple[dict[str, Any], bool]:
    """Return an encrypted copy of `document`, and whether anything changed."""
    copied = copy.deepcopy(document)
    changed = credentials.encrypt(credentials.in_document(copied, keys), keys)
    return copied, changed


def decrypted(document: dict[str, Any], keys: SecretKeys) -> tuple[dict[str, Any], bool]:
    """Return a decrypted copy of `document`, and whether anything changed."""
    copied = copy.deepcopy(document)
    return copied, credentials.decrypt(credentials.in_document(copied, keys))


def test_every_credential_is_found_and_nothing_else() -> None:
    assert [each.path for each in credentials.in_document(PLAIN, NO_KEYS)] == PATHS


def test_what_is_found_shows_no_secret() -> None:
    shown = repr(list(credentials.in_document(PLAIN, NO_KEYS)))
    assert not [secret for secret in ("<P8>", "<B>", "<KEY>", "<ZONE>") if secret in shown]


def test_encrypting_changes_the_credentials_and_nothing_else() -> None:
    document, changed = encrypted(PLAIN, NEWER)
    assert changed
    assert forms(document, NEWER) == [Form.ENCRYPTED] * 5
    text = json.dumps(document)
    assert not [secret for secret in ("<P8>", "<B>", "<KEY>", "<ZONE>", "<NODE>") if secret in text]
    for holder, key in (
        (document["zone-1"]["apple"], "certificate"),
        (document["default"]["firebase"], "service_account"),
        (document["org.b"]["apple"], "certificate"),
        (document["org.b"]["apple"]["token_key"], "private_key"),
        (document["pusher@node"]["apple"], "certificate"),
    ):
        assert holder[key].startswith("fernet:")
        holder[key] = "-"
    expected = copy.deepcopy(PLAIN)
    expected["zone-1"]["apple"]["certificate"] = expected["org.b"]["apple"]["certificate"] = "-"
    expected["default"]["firebase"]["service_account"] = expected["org.b"]["apple"]["token_key"]["private_key"] = "-"
    expected["pusher@node"]["apple"]["certificate"] = "-"
    assert json.dumps(document) == json.dumps(expected)


def test_decrypting_brings_the_document_back_byte_for_byte() -> None:
    document, changed = decrypted(encrypted(PLAIN, NEWER)[0], NEWER)
    assert changed
    assert json.dumps(document) == json.dumps(PLAIN)


def test_a_second_time_changes_nothing() -> None:
    once, _ = encrypted(PLAIN, NEWER)
    assert encrypted(once, NEWER) == (once, False)
    assert decrypted(PLAIN, NEWER) == (PLAIN, False)


def test_a_rotation_encrypts_anew_what_the_older_key_did_and_what_is_plain() -> None:
    document, _ = encrypted(PLAIN, OLDER)
    document["org.b"]["apple"]["certificate"] = "<PLAIN>"
    assert forms(document, ROTATING) == [Form.OLDER_KEY, Form.OLDER_KEY, Form.PLAIN, Form.OLDER_KEY, Form.OLDER_KEY]
    rotated, changed = encrypted(document, ROTATING)
    assert changed
    assert forms(rotated, NEWER) == [Form.ENCRYPTED] * 5
    expected = copy.deepcopy(PLAIN)
    expected["org.b"]["apple"]["certificate"] = "<PLAIN>"
    assert decrypted(rotated, NEWER)[0] == expected


@pytest.mark.parametrize("value", [SecretKeys((LOST,)).seal("<C>"), "fernet:damaged"], ids=["lost key", "damaged"])
def test_what_cannot_be_decrypted_stays_as_it_is_and_stops_nothing(value: str) -> None:
    document = copy.deepcopy(PLAIN)
    document["zone-1"]["apple"]["certificate"] = value
    document["default"]["firebase"]["service_account"] = value
    both, _ = encrypted(document, NEWER)
    assert forms(both, NEWER) == [Form.UNREADABLE, Form.UNREADABLE, *[Form.ENCRYPTED] * 3]
    assert decrypted(both, NEWER)[0] == document


def test_without_a_key_nothing_changes() -> None:
    assert encrypted(PLAIN, NO_KEYS) == (PLAIN, False)
    sealed, _ = encrypted(PLAIN, NEWER)
    assert decrypted(sealed, NO_KEYS) == (sealed, False)
    assert forms(sealed, NO_KEYS) == [Form.UNREADABLE] * 5
