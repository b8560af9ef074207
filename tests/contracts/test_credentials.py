"""Encrypting all credentials of the `pusher` document, whatever holds it: safe beside others who edit it."""

import json
from typing import Any

from pusher.documents import credentials, pusher_document
from pusher.documents.credentials import Form
from pusher.documents.sealed import SecretKeys, make_key
from pusher.ports import Documents

KEYS = SecretKeys((make_key(),))
KAZOO: dict[str, Any] = {
    "_id": "pusher",
    "zz": {"apple": {"certificate": "<Z\u00eb>", "host": "h"}, "note": [1, None]},
    "pvt_type": "config",
    "default": {
        "User-Agents": {},
        "firebase": {"service_account": {"type": "service_account", "a": 1}, "api_key": "A"},
    },
    "aa": {"apple": {"token_key": {"team_id": "T", "private_key": "<P8>", "key_id": "K"}}},
}


def encrypt(document: dict[str, Any]) -> bool:
    """Encrypt all credentials."""
    return credentials.encrypt(credentials.in_document(document, KEYS), KEYS)


def decrypt(document: dict[str, Any]) -> bool:
    """Decrypt all credentials."""
    return credentials.decrypt(credentials.in_document(document, KEYS))


def content(document: dict[str, Any]) -> str:
    """Return all but `_id` and `_rev`, which stand where the server wants them, in its order."""
    return json.dumps({key: value for key, value in document.items() if key not in ("_id", "_rev")})


def test_a_document_comes_back_from_encryption_as_it_was_in_its_order(documents: Documents) -> None:
    documents.save("system_config", KAZOO)
    assert pusher_document.change(documents, encrypt) is not None
    stored = content(pusher_document.read(documents))
    assert stored.count('"fernet:') == 3
    assert not [secret for secret in ("<Z", "<P8>", '"type": "service_account"') if secret in stored]
    assert pusher_document.change(documents, decrypt) is not None
    assert content(pusher_document.read(documents)) == content(KAZOO)


def test_a_second_time_saves_nothing(documents: Documents) -> None:
    documents.save("system_config", KAZOO)
    saved = pusher_document.change(documents, encrypt)
    assert pusher_document.change(documents, encrypt) is None
    assert saved is not None
    assert pusher_document.read(documents)["_rev"] == saved.rev


def test_what_somebody_else_saves_meanwhile_stays_and_is_encrypted_too(documents: Documents) -> None:
    documents.save("system_config", KAZOO)
    rivals = iter(["first", "second"])

    def beside_others(document: dict[str, Any]) -> bool:
        rival = next(rivals, None)
        if rival is not None:
            theirs = pusher_document.read(documents)
            documents.save("system_config", {**theirs, rival: {"apple": {"certificate": rival, "enabled": False}}})
        return encrypt(document)

    pusher_document.change(documents, beside_others)
    document = pusher_document.read(documents)
    assert list(json.loads(content(document)))[-2:] == ["first", "second"]
    assert [each.form for each in credentials.in_document(document, KEYS)] == [Form.ENCRYPTED] * 5
    assert KEYS.unseal(document["second"]["apple"]["certificate"]) == "second"
    assert document["second"]["apple"]["enabled"] is False
