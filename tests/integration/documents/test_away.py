"""A CouchDB that is down, hangs, drips or breaks off: told soon, and asked again only where that is safe."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pusher import outage
from pusher.documents import http_server
from pusher.documents.couchdb import CouchDBDocuments
from pusher.errors import DocumentMissing, DocumentsUnavailable
from tests.integration.documents.samples import DATABASE, DEVICE, compact
from tests.support.couchdb import CouchDB
from tests.support.until import until

ID = DEVICE["_id"]
#: Seconds that a machine of ours may be late.
SLACK_S = 1.0


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests give up early, for tests that wait for it."""
    monkeypatch.setattr(http_server, "ANSWER_WITHIN_S", 0.5)


def waited_s(documents: CouchDBDocuments, match: str) -> float:
    """Return how long a read took to fail with words that `match`."""
    began = time.monotonic()
    with pytest.raises(DocumentsUnavailable, match=match):
        documents.read(DATABASE, ID)
    return time.monotonic() - began


def _asked(documents: CouchDBDocuments, couchdb: CouchDB) -> int:
    """Have twenty threads read in vain, and return how many requests there were up to now."""
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: waited_s(documents, "no answer|left alone"), range(20)))
    return len(couchdb.requests())


SLOW = {
    "hangs": {"action": "hang"},
    "drips headers": {"action": "drip", "ms": 20, "body": b"HTTP/1.1 200 OK\r\nX-Drip: " + b"x" * 1000},
    "drips a body": {"action": "drip", "ms": 20, "body": b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 1000},
    "drips chunks": {
        "action": "drip",
        "ms": 20,
        "body": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n ",
    },
    "is slow": {"action": "delay", "ms": 1000},
}


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("name", SLOW)
def test_an_answer_takes_no_longer_than_it_may(documents: CouchDBDocuments, couchdb: CouchDB, name: str) -> None:
    couchdb.misbehave(**SLOW[name])  # type: ignore[arg-type]
    assert waited_s(documents, r"^CouchDB at 127\.0\.0\.1:\d+: no answer within 0\.5 s$") < 0.5 + SLACK_S


def test_an_answer_without_end_is_cut(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    couchdb.misbehave("flood", times=1)
    assert waited_s(documents, "sends more than") < http_server.ANSWER_WITHIN_S + SLACK_S
    assert documents.read(DATABASE, ID)


def test_the_time_that_is_given_to_couchdb_is_some_seconds() -> None:
    """Long enough for one that compacts, shorter than a caller waits for the first settings."""
    assert 3 <= http_server.ANSWER_WITHIN_S <= 5
    assert http_server.TURN_TIMEOUT_S <= 1


@pytest.mark.usefixtures("_impatient")
def test_a_hundred_threads_are_not_held_by_a_couchdb_that_hangs(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    with couchdb.paused(), ThreadPoolExecutor(100) as pool:
        waits = list(pool.map(lambda _: waited_s(documents, "no answer|left alone|under way"), range(200)))
        assert max(waits) < 0.5 + http_server.TURN_TIMEOUT_S + SLACK_S
        # Whoever comes now is told at once.
        assert waited_s(documents, "left alone for some seconds: no answer") < 0.2


def test_nobody_waits_long_for_a_place_while_nothing_is_answered(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    couchdb.misbehave("hang")
    before, places = len(couchdb.requests()), range(http_server.MAX_AT_ONCE)
    with ThreadPoolExecutor(len(places)) as pool:
        first = pool.map(lambda _: waited_s(documents, "no answer"), places)
        until(lambda: len(couchdb.requests()) == before + len(places))
        assert waited_s(documents, "10 requests are under way and none ends") < 2 * http_server.TURN_TIMEOUT_S + 0.5
        assert max(first) < http_server.ANSWER_WITHIN_S + SLACK_S


def test_whoever_waits_while_others_are_answered_is_served_too(
    documents: CouchDBDocuments, couchdb: CouchDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "TURN_TIMEOUT_S", 0.5)
    couchdb.misbehave("delay", ms=300)
    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(lambda _: documents.read(DATABASE, ID), range(50)))


def test_a_system_without_threads_to_give_costs_no_place(
    documents: CouchDBDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refused(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("threading.Thread", Refused)
        for _ in range(http_server.MAX_AT_ONCE + 1):
            with pytest.raises(DocumentsUnavailable, match="can't start new thread"):
                documents.read(DATABASE, ID)
    assert documents.read(DATABASE, ID)["_id"] == ID


@pytest.mark.usefixtures("_impatient")
def test_during_an_outage_nobody_waits_for_a_place(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    """All are held by requests that nobody waits for any more, and whose answers drip on."""
    couchdb.misbehave(**SLOW["drips headers"])  # type: ignore[arg-type]
    places = range(http_server.MAX_AT_ONCE)
    with ThreadPoolExecutor(len(places)) as pool:
        list(pool.map(lambda _: waited_s(documents, "no answer"), places))
    assert waited_s(documents, "left alone for some seconds: no answer") < 0.5
    with couchdb.refusing():
        pass


@pytest.mark.usefixtures("_impatient")
def test_it_is_asked_again_after_some_seconds(
    documents: CouchDBDocuments, couchdb: CouchDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "RETRY_S", 1.0)
    couchdb.misbehave("hang", times=1)
    waited_s(documents, "no answer")
    seen = len(couchdb.requests())
    waited_s(documents, "left alone")
    assert len(couchdb.requests()) == seen
    # One of many asks for all, and the others do not wait for it.
    couchdb.misbehave("hang", times=1)
    until(lambda: _asked(documents, couchdb) > seen)
    assert _asked(documents, couchdb) == seen + 1

    def answers() -> bool:
        try:
            return bool(documents.read(DATABASE, ID))
        except DocumentsUnavailable:
            return False

    until(answers, seconds=5)
    # The outage is over, for everybody.
    assert all(documents.read(DATABASE, ID) for _ in range(3))


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("name", ["hangs", "drips a body", "drips chunks"])
def test_places_that_slow_answers_held_are_given_back(
    documents: CouchDBDocuments, couchdb: CouchDB, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(outage, "RETRY_S", 0.0)
    monkeypatch.setattr(http_server, "TURN_TIMEOUT_S", 0.0)
    places = range(http_server.MAX_AT_ONCE)
    couchdb.misbehave(**SLOW[name], times=len(places))  # type: ignore[arg-type]
    with ThreadPoolExecutor(len(places)) as pool:
        list(pool.map(lambda _: waited_s(documents, "no answer"), places))

        def all_serve() -> bool:
            try:
                return all(pool.map(lambda _: documents.read(DATABASE, ID), places))
            except DocumentsUnavailable:
                return False

        couchdb.misbehave("delay", ms=200)
        until(all_serve)


def test_a_refused_connection_is_told_at_once(couchdb: CouchDB) -> None:
    documents = CouchDBDocuments.from_url(couchdb.url, ca_file=None)
    with couchdb.refusing():
        assert waited_s(documents, r"^CouchDB at 127\.0\.0\.1:\d+: Connection refused$") < SLACK_S
        assert waited_s(documents, "left alone for some seconds: Connection refused") < 0.2


def test_a_host_that_no_resolver_knows_is_told() -> None:
    documents = CouchDBDocuments.from_url("http://u:geheim@couchdb.invalid:5984", ca_file=None)
    assert waited_s(documents, r"^CouchDB at couchdb\.invalid:5984: ") < http_server.ANSWER_WITHIN_S + SLACK_S


def test_a_restart_of_couchdb_is_not_noticed_by_those_who_come_after(
    documents: CouchDBDocuments, couchdb: CouchDB
) -> None:
    """Every connection that was kept is dead then."""
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: documents.read(DATABASE, ID), range(50)))
        with couchdb.refusing():
            pass
        list(pool.map(lambda _: documents.read(DATABASE, ID), range(50)))


def test_a_read_that_a_connection_breaks_under_is_sent_once_more(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    for action in ("drop", "drop_answer"):
        documents.read(DATABASE, ID)
        before = len(couchdb.requests())
        couchdb.misbehave(action, times=1)
        assert documents.read(DATABASE, ID)["name"] == DEVICE["name"]
        assert len(couchdb.requests()) == before + 2


def test_a_read_is_not_sent_for_ever_and_a_broken_connection_is_no_outage(
    documents: CouchDBDocuments, couchdb: CouchDB
) -> None:
    before = len(couchdb.requests())
    couchdb.misbehave("drop", times=2)
    waited_s(documents, "it ended the connection")
    assert len(couchdb.requests()) == before + 2
    assert documents.read(DATABASE, ID)


@pytest.mark.parametrize("action", ["drop", "drop_answer"])
def test_a_change_that_a_connection_breaks_under_is_sent_once(
    documents: CouchDBDocuments, couchdb: CouchDB, action: str
) -> None:
    documents.read(DATABASE, ID)
    couchdb.misbehave(action, method="PUT", times=1)
    before = len(couchdb.requests())
    with pytest.raises(DocumentsUnavailable):
        documents.save(DATABASE, {"_id": "new"})
    assert [request["method"] for request in couchdb.requests()[before:]] == ["PUT"]
    if action == "drop":
        with pytest.raises(DocumentMissing):
            documents.read(DATABASE, "new")
    else:
        assert documents.read(DATABASE, "new")["_rev"].startswith("1-")


def test_what_is_no_http_is_told(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    couchdb.misbehave("drip", ms=1, body=b"220 mail.example.com ESMTP\r\n\r\n" + compact(DEVICE))
    waited_s(documents, "no proper answer")
