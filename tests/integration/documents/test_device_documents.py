"""A push object gets into a document that is Kazoo's, and nothing else in it changes."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import fakeredis
import pytest

from pusher.documents.couchdb import CouchDBDocuments
from pusher.errors import DocumentsUnavailable
from pusher.flows.device_document import DeviceDocument
from pusher.flows.forget_device import ForgetDevice
from pusher.flows.learn_device import LearnDevice
from pusher.ports import Saved
from pusher.registration.device import Device
from pusher.stores.tokens import RedisTokens
from pusher.stores.waits import RedisWaits
from tests.integration.documents.samples import ACCOUNT, DATABASE, DEVICE, PUSH_OBJECT, compact, without_push
from tests.support.arriving import arrival
from tests.support.couchdb import CouchDB
from tests.support.recorders import RecordingBus

ID = ACCOUNT.device_id


class World:
    """Flows over a store, on an embedded Redis."""

    def __init__(self, documents: CouchDBDocuments) -> None:
        redis = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(), decode_responses=True)
        self.bus = RecordingBus()
        self.waits = RedisWaits(redis)
        tokens = RedisTokens(redis)
        document = DeviceDocument(documents, self.bus)
        self.learn = LearnDevice(document=document, tokens=tokens)
        self.forget = ForgetDevice(document=document, tokens=tokens)

    def register(self, device: Device = ACCOUNT) -> str | None:
        """Have the phone register, and return what Redis remembers of its push object."""
        push = PUSH_OBJECT
        return arrival(self.waits, token=push.token, registration_token=None, device=device, digest=push.digest).learned


@pytest.fixture
def world(documents: CouchDBDocuments) -> World:
    """The flows on CouchDB."""
    return World(documents)


class EditedMeanwhile(CouchDBDocuments):
    """The store of somebody who is overtaken: after each read, the next of `edits` is saved by somebody else."""

    couchdb: CouchDB
    edits: list[dict[str, Any]]

    def read(self, database: str, doc_id: str) -> dict[str, Any]:
        """Read, and then be overtaken."""
        document = super().read(database, doc_id)
        if self.edits:
            self.couchdb.put(database, {**document, **self.edits.pop(0)})
        return document


def test_everything_but_push_stays_byte_for_byte(world: World, couchdb: CouchDB) -> None:
    before = couchdb.raw(DATABASE, ID)
    world.learn(ACCOUNT, PUSH_OBJECT)
    after = couchdb.raw(DATABASE, ID)
    assert without_push(after) == without_push(before)
    assert json.loads(after)["push"] == PUSH_OBJECT.to_json()
    assert [key for key in json.loads(after) if key != "_rev"] == [key for key in json.loads(before) if key != "_rev"]
    (change,) = world.bus.changes
    assert change.rev == json.loads(after)["_rev"]
    assert (change.created, change.database, change.doc_id, change.doc_type) == (False, DATABASE, ID, "device")


def test_a_dead_token_goes_and_everything_else_stays(world: World, couchdb: CouchDB) -> None:
    world.learn(ACCOUNT, PUSH_OBJECT)
    world.register()
    before = couchdb.raw(DATABASE, ID)
    world.forget(ACCOUNT, PUSH_OBJECT.token, dead_since=4e9)
    after = couchdb.raw(DATABASE, ID)
    assert without_push(after) == without_push(before)
    assert b'"push"' not in after


def test_what_the_test_server_would_not_keep_is_sent_back_as_it_came(world: World, couchdb: CouchDB) -> None:
    """CouchDB keeps long integers, floats and the order of all keys; stubs of attachments stand for them."""
    raw = (
        b'{"_id":"%s","_rev":"7-0123456789abcdef0123456789abcdef","2":"two","10":1.0,"1":123456789012345678901234567890,'
        b'"f":[1.5e+300,-0.0,5e-324,0.1],"half":"\\ud83d","nul":"\\u0000","unknown":{"b":{},"a":[[]]},"push":%s,'
        b'"_attachments":{"a.png":{"content_type":"image/png","revpos":2,"digest":"md5-x==","length":5,"stub":true}}}'
    ) % (ID.encode(), compact({"Token-ID": "old"}))
    couchdb.answer(200, raw, method="GET")
    couchdb.answer(201, b'{"ok":true,"id":"x","rev":"8-a"}', method="PUT")
    world.learn(ACCOUNT, PUSH_OBJECT)
    sent = couchdb.requests()[-1]
    assert sent["method"] == "PUT"
    assert sent["body"] == raw.replace(compact({"Token-ID": "old"}), compact(PUSH_OBJECT.to_json()))


def test_an_edit_between_our_read_and_our_write_is_kept(couchdb: CouchDB, rev: str) -> None:
    documents = EditedMeanwhile.from_url(couchdb.url, ca_file=None)
    documents.couchdb = couchdb
    documents.edits = [{"name": "Bob's phone"}, {"call_forward": {"enabled": True, "number": "+15551230000"}}]
    world = World(documents)
    world.learn(ACCOUNT, PUSH_OBJECT)
    expected = {
        **DEVICE,
        "name": "Bob's phone",
        "call_forward": {"enabled": True, "number": "+15551230000"},
        "push": PUSH_OBJECT.to_json(),
    }
    after = couchdb.get(DATABASE, ID)
    assert {**after, "_rev": None} == {**expected, "_rev": None}
    assert after["_rev"].startswith("4-")
    assert [change.rev for change in world.bus.changes] == [after["_rev"]]
    documents.close()


def test_a_document_that_already_says_so_is_neither_saved_nor_announced(world: World, couchdb: CouchDB) -> None:
    world.learn(ACCOUNT, PUSH_OBJECT)
    world.learn(ACCOUNT, PUSH_OBJECT)
    assert couchdb.get(DATABASE, ID)["_rev"].startswith("2-")
    assert len(world.bus.changes) == 1


def test_a_save_whose_answer_was_lost_is_announced_by_the_next_attempt(world: World, couchdb: CouchDB) -> None:
    couchdb.misbehave("drop_answer", method="PUT", times=1)
    with pytest.raises(DocumentsUnavailable):
        world.learn(ACCOUNT, PUSH_OBJECT)
    assert world.bus.changes == []
    world.learn(ACCOUNT, PUSH_OBJECT, again=True)
    after = couchdb.get(DATABASE, ID)
    assert after["_rev"].startswith("2-")
    assert [change.rev for change in world.bus.changes] == [after["_rev"]]


@pytest.mark.parametrize(
    "device",
    [
        Device(account_id="0" * 32, device_id=ID),
        Device(account_id=ACCOUNT.account_id, device_id="f" * 32),
    ],
    ids=["database", "document"],
)
def test_what_does_not_exist_is_told_once_is_not_made_and_is_no_failure(
    world: World, couchdb: CouchDB, caplog: pytest.LogCaptureFixture, device: Device
) -> None:
    caplog.set_level(logging.INFO)
    before = len(couchdb.requests())
    assert world.register(device) is None
    world.learn(device, PUSH_OBJECT)
    assert [record.message for record in caplog.records] == ["device has no document"]
    assert [request["method"] for request in couchdb.requests()[before:]] == ["GET"]
    assert world.bus.changes == []
    # The listener makes no task of the next registration within the hour.
    assert world.register(device) == PUSH_OBJECT.digest
    world.forget(device, PUSH_OBJECT.token, dead_since=4e9)


def test_a_database_that_goes_between_read_and_save_is_missing(
    world: World, couchdb: CouchDB, caplog: pytest.LogCaptureFixture
) -> None:
    couchdb.answer(404, b'{"error":"not_found","reason":"Database does not exist."}', method="PUT")
    world.learn(ACCOUNT, PUSH_OBJECT)
    assert [record.message for record in caplog.records] == ["device has no document"]


def test_a_save_reports_what_it_did(documents: CouchDBDocuments, rev: str) -> None:
    document: Mapping[str, Any] = documents.read(DATABASE, ID)
    saved = documents.save(DATABASE, document)
    assert saved == Saved(rev=documents.read(DATABASE, ID)["_rev"], created=False)
