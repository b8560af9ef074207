"""`ports.Documents`: revisions and conflicts as CouchDB has them, whatever holds the documents."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pusher.errors import DocumentConflict, DocumentMissing
from pusher.ports import Documents

DATABASE = "account/00/11/2233445566778899aabbccddeeff"
DEVICE: dict[str, Any] = {
    "_id": "aabbccddeeff00112233445566778899",
    "name": 'Zoë\'s "phone" \u2028 \U0001f4f1 \x00 \\/',
    "zz": [1, 2.5, True, None, {"b": {}, "a": []}],
    "pvt_type": "device",
    "ab": {"z": 1, "a": 2},
    "push": {"Token-ID": "fX9_q:APA91bH", "Token-App": "com.example.softphone", "Token-Type": "firebase"},
}


def content(document: dict[str, Any]) -> str:
    """Return all but `_id` and `_rev`, which stand where the server wants them, in its order."""
    return json.dumps({key: value for key, value in document.items() if key not in ("_id", "_rev")})


def test_what_was_saved_is_read_in_the_same_order(documents: Documents) -> None:
    saved = documents.save(DATABASE, DEVICE)
    assert saved.created
    document = documents.read(DATABASE, DEVICE["_id"])
    assert (document["_id"], document["_rev"]) == (DEVICE["_id"], saved.rev)
    assert content(document) == content(DEVICE)


def test_saving_leaves_the_caller_s_document_alone(documents: Documents) -> None:
    document = dict(DEVICE)
    documents.save(DATABASE, document)
    assert document == DEVICE


def test_a_document_belongs_to_its_database(documents: Documents) -> None:
    documents.save(DATABASE, DEVICE)
    documents.save("system_config", {"_id": DEVICE["_id"], "other": True})
    assert "other" not in documents.read(DATABASE, DEVICE["_id"])


@pytest.mark.parametrize("database", [DATABASE, "account/ff/ff/ffffffffffffffffffffffffffff"])
def test_what_does_not_exist_is_missing(documents: Documents, database: str) -> None:
    with pytest.raises(DocumentMissing):
        documents.read(database, "no-such-document")


def test_each_save_makes_the_next_revision(documents: Documents) -> None:
    first = documents.save(DATABASE, DEVICE)
    second = documents.save(DATABASE, {**DEVICE, "_rev": first.rev})
    assert not second.created
    assert [rev.split("-")[0] for rev in (first.rev, second.rev)] == ["1", "2"]
    assert documents.read(DATABASE, DEVICE["_id"])["_rev"] == second.rev


@pytest.mark.parametrize("rev", [None, "first", "2-0123456789abcdef0123456789abcdef", "nonsense"])
def test_only_the_revision_that_stands_there_can_be_replaced(documents: Documents, rev: str | None) -> None:
    first = documents.save(DATABASE, DEVICE)
    second = documents.save(DATABASE, {**DEVICE, "_rev": first.rev, "name": "second"})
    stale = {**DEVICE, "name": "third"}
    if rev is not None:
        stale["_rev"] = first.rev if rev == "first" else rev
    with pytest.raises(DocumentConflict):
        documents.save(DATABASE, stale)
    document = documents.read(DATABASE, DEVICE["_id"])
    assert (document["_rev"], document["name"]) == (second.rev, "second")


def test_a_document_that_went_away_is_not_made_again_by_accident(documents: Documents) -> None:
    with pytest.raises(DocumentConflict):
        documents.save(DATABASE, {**DEVICE, "_rev": "1-0123456789abcdef0123456789abcdef"})
    with pytest.raises(DocumentMissing):
        documents.read(DATABASE, DEVICE["_id"])


def test_of_many_that_create_one_does(documents: Documents) -> None:
    def create(number: int) -> bool:
        try:
            return documents.save(DATABASE, {"_id": "new", "by": number}).created
        except DocumentConflict:
            return False

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(create, range(20))) == 1


def test_no_change_is_lost_between_threads(documents: Documents) -> None:
    """Each adds its mark to what it read, again after a conflict: in the end all marks are there."""
    documents.save(DATABASE, {"_id": "shared", "marks": []})

    def add(mark: int) -> None:
        while True:
            document = documents.read(DATABASE, "shared")
            try:
                documents.save(DATABASE, {**document, "marks": [*document["marks"], mark]})
            except DocumentConflict:
                continue
            return

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(add, range(60)))
    document = documents.read(DATABASE, "shared")
    assert sorted(document["marks"]) == list(range(60))
    assert document["_rev"].startswith("61-")
