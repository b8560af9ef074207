"""What CouchDB is asked, by whom it is trusted, and what becomes of every answer it can give."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from pusher.documents.couchdb import CouchDBDocuments
from pusher.documents.http_server import LARGEST_ANSWER, MAX_AT_ONCE
from pusher.errors import DocumentConflict, DocumentMissing, DocumentsUnavailable, PusherError
from tests.integration.documents.samples import DATABASE, DEVICE, ENCODED, compact
from tests.support.couchdb import PASSWORD, USER, CouchDB

ID = DEVICE["_id"]
STORED = compact({"_id": ID, "_rev": "1-a", "name": "phone"})


def store(url: str, ca_file: str | None = None) -> CouchDBDocuments:
    """Return a store that a test need not close: it has at most one idle connection."""
    return CouchDBDocuments.from_url(url, ca_file=ca_file)


def test_slashes_of_a_database_reach_couchdb_encoded(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    documents.save(DATABASE, {"_id": "new one/é"})
    documents.read(DATABASE, "new one/é")
    urls = [request["url"] for request in couchdb.requests()[-2:]]
    assert urls == [f"/{ENCODED}/new%20one%2F%C3%A9"] * 2


def test_the_test_server_finds_nothing_by_slashes_that_are_not_encoded(couchdb: CouchDB, rev: str) -> None:
    """Else the test above would prove nothing."""
    assert couchdb.request("GET", f"/{ENCODED}/{ID}").status_code == 200
    assert couchdb.request("GET", f"/{DATABASE}/{ID}").status_code == 404


def test_revisions_travel_in_the_document_alone(documents: CouchDBDocuments, couchdb: CouchDB, rev: str) -> None:
    documents.save(DATABASE, {**DEVICE, "_rev": rev})
    put = couchdb.requests()[-1]
    assert json.loads(put["body"])["_rev"] == rev
    assert not {"if-match", "etag", "if-none-match"} & set(put["headers"])
    assert "rev" not in put["url"]


def test_nothing_packed_is_asked_for(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    """A few bytes could unpack to more than memory holds."""
    documents.read(DATABASE, ID)
    assert couchdb.requests()[-1]["headers"]["accept-encoding"] == "identity"


def test_a_prefix_of_a_reverse_proxy_goes_before_the_database(couchdb: CouchDB) -> None:
    couchdb.answer(200, STORED)
    for slash in ("", "/", "//"):
        assert store(f"{couchdb.url}/couch%20db/x{slash}").read(DATABASE, ID)["name"] == "phone"
    assert {request["url"] for request in couchdb.requests()} == {f"/couch%20db/x/{ENCODED}/{ID}"}


def test_without_a_user_none_is_sent_whatever_netrc_says(
    couchdb: CouchDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    documents = store(f"http://127.0.0.1:{couchdb.port}")
    with pytest.raises(DocumentsUnavailable, match="does not accept the user and password in PUSHER_DOCUMENTS_URL"):
        documents.read(DATABASE, ID)
    assert "authorization" not in couchdb.requests()[-1]["headers"]


def test_the_environment_s_proxy_is_not_asked(documents: CouchDBDocuments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert documents.read(DATABASE, ID)["name"] == DEVICE["name"]


def test_a_wrong_password_is_told_without_it(couchdb: CouchDB) -> None:
    documents = CouchDBDocuments.from_url(f"http://{USER}:geheim@127.0.0.1:{couchdb.port}", ca_file=None, name="URL")
    for attempt in (lambda: documents.read(DATABASE, ID), lambda: documents.save(DATABASE, {"_id": ID})):
        with pytest.raises(DocumentsUnavailable) as told:
            attempt()
        assert str(told.value) == f"CouchDB at 127.0.0.1:{couchdb.port} does not accept the user and password in URL"


def test_cookies_are_not_kept(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    couchdb.answer(200, STORED, headers={"Set-Cookie": "AuthSession=old; Path=/"})
    documents.read(DATABASE, ID)
    documents.read(DATABASE, ID)
    assert "cookie" not in couchdb.requests()[-1]["headers"]


def test_tls_is_spoken_with_who_our_authorities_vouch_for(couchdb: CouchDB, rev: str) -> None:
    assert store(couchdb.tls_url, str(couchdb.authority.ca_file)).read(DATABASE, ID)["_rev"] == rev


def test_no_other_authority_is_trusted_whatever_the_environment_says(
    couchdb: CouchDB, rev: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(couchdb.authority.ca_file))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(couchdb.authority.ca_file))
    with pytest.raises(DocumentsUnavailable, match=r"^CouchDB at 127\.0\.0\.1:\d+: .*certificate"):
        store(couchdb.tls_url).read(DATABASE, ID)


def test_http_spoken_to_the_tls_port_is_no_answer(couchdb: CouchDB) -> None:
    with pytest.raises(DocumentsUnavailable):
        store(couchdb.tls_url.replace("https://", "http://")).read(DATABASE, ID)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_few_connections_serve_many_threads_and_are_used_again(couchdb: CouchDB, rev: str, scheme: str) -> None:
    documents = store(couchdb.url if scheme == "http" else couchdb.tls_url, str(couchdb.authority.ca_file))
    before = len(couchdb.requests())
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda _: documents.read(DATABASE, ID), range(300)))
    documents.save(DATABASE, {"_id": "other"})
    with pytest.raises(DocumentMissing):
        documents.read(DATABASE, "none")
    seen = couchdb.requests()[before:]
    assert len(seen) == 302
    assert len({request["connection"] for request in seen}) <= MAX_AT_ONCE
    documents.close()


#: What CouchDB, or what stands before it, may say to a GET; and a part of what operators read then.
ANSWERS: dict[str, tuple[int, bytes, type[PusherError], str]] = {
    "missing": (404, b'{"error":"not_found","reason":"deleted"}', DocumentMissing, f"{DATABASE}/{ID} does not exist"),
    "another server's 404": (404, b"<html>404</html>", DocumentsUnavailable, "does PUSHER_DOCUMENTS_URL name CouchDB"),
    "another API's 404": (404, b'{"error":"no route"}', DocumentsUnavailable, "answers 404"),
    "401": (401, b"{}", DocumentsUnavailable, "does not accept the user"),
    "403": (403, b"{}", DocumentsUnavailable, f"read {DATABASE}/{ID}: make it a member of that database"),
    "redirect": (302, b"", DocumentsUnavailable, "answers 302"),
    "too many requests": (429, b"{}", DocumentsUnavailable, "answers 429"),
    "server error": (500, b"{}", DocumentsUnavailable, "answers 500"),
    "overloaded": (503, b"", DocumentsUnavailable, "answers 503"),
    "not JSON": (200, b"<html>", DocumentsUnavailable, "without a JSON object"),
    "empty": (200, b"", DocumentsUnavailable, "without a JSON object"),
    "not UTF-8": (200, b'{"_id":"\xff"}', DocumentsUnavailable, "without a JSON object"),
    "not an object": (200, b"[]", DocumentsUnavailable, "without a JSON object"),
    "nested beyond measure": (200, b'{"a":' + b"[" * 10**6, DocumentsUnavailable, "without a JSON object"),
    "NaN": (200, b'{"_id":"x","_rev":"1-a","a":NaN}', DocumentsUnavailable, "without a JSON object"),
    "Infinity": (200, b'{"_id":"x","_rev":"1-a","a":-Infinity}', DocumentsUnavailable, "without a JSON object"),
    "a number too large": (200, b'{"_id":"x","_rev":"1-a","a":1e999}', DocumentsUnavailable, "without a JSON object"),
    "digits without end": (200, b'{"a":' + b"9" * 5000 + b"}", DocumentsUnavailable, "without a JSON object"),
    "another document": (200, b'{"_id":"x","_rev":"1-a"}', DocumentsUnavailable, "something else"),
    "no revision": (200, compact({"_id": ID}), DocumentsUnavailable, "something else"),
    "packed": (200, gzip.compress(STORED), DocumentsUnavailable, "without a JSON object"),
    "too long": (200, b" " * (LARGEST_ANSWER + 1), DocumentsUnavailable, "sends more than"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_document_is_told(documents: CouchDBDocuments, couchdb: CouchDB, name: str) -> None:
    status, body, error, words = ANSWERS[name]
    elsewhere = {"Location": f"http://127.0.0.1:{couchdb.port}/elsewhere"}
    couchdb.answer(status, body, times=1, headers=elsewhere)
    with pytest.raises(error) as told:
        documents.read(DATABASE, ID)
    assert words in str(told.value)
    assert PASSWORD not in str(told.value)
    assert quote(PASSWORD, safe="") not in str(told.value)
    # It is an answer: nobody leaves CouchDB alone because of it, nor goes where it points to.
    assert documents.read(DATABASE, ID)["name"] == DEVICE["name"]
    assert "/elsewhere" not in [request["url"] for request in couchdb.requests()]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b'{"error":"not_found","reason":"no_db_file"}', DocumentMissing),
        (404, b"<html>", DocumentsUnavailable),
        (409, b'{"error":"conflict"}', DocumentConflict),
        (400, b'{"error":"bad_request"}', DocumentsUnavailable),
        (401, b"{}", DocumentsUnavailable),
        (403, b'{"error":"forbidden"}', DocumentsUnavailable),
        (412, b"{}", DocumentsUnavailable),
        (413, b"{}", DocumentsUnavailable),
        (503, b"{}", DocumentsUnavailable),
        (301, b"", DocumentsUnavailable),
        (201, b'{"ok":true}', DocumentsUnavailable),
        (201, b"saved", DocumentsUnavailable),
    ],
)
def test_an_answer_that_is_no_revision_is_told(
    documents: CouchDBDocuments, couchdb: CouchDB, status: int, body: bytes, error: type[PusherError]
) -> None:
    couchdb.answer(status, body, method="PUT")
    with pytest.raises(error):
        documents.save(DATABASE, {"_id": "new"})
    assert [request["method"] for request in couchdb.requests()].count("PUT") == 4  # Three came before this test's.


def test_saved_by_fewer_nodes_than_asked_for_is_saved(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    couchdb.answer(202, b'{"ok":true,"id":"new","rev":"1-a"}', method="PUT")
    assert documents.save(DATABASE, {"_id": "new"}).rev == "1-a"


def test_a_database_that_does_not_exist_is_missing_to_readers_and_writers(documents: CouchDBDocuments) -> None:
    for attempt in (lambda: documents.read("none", ID), lambda: documents.save("none", {"_id": ID})):
        with pytest.raises(DocumentMissing, match=f"none/{ID} does not exist"):
            attempt()


def test_what_json_cannot_say_is_not_sent(documents: CouchDBDocuments, couchdb: CouchDB) -> None:
    before = len(couchdb.requests())
    with pytest.raises(DocumentsUnavailable, match="cannot be written as JSON"):
        documents.save(DATABASE, {"_id": "new", "number": float("nan")})
    assert len(couchdb.requests()) == before
