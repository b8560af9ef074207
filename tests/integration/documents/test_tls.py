"""`https://`: whom we trust with documents, and what it says where we do not."""

import socket
import time
from datetime import timedelta

import pytest

from pusher.clock import utcnow
from pusher.documents import http_server
from pusher.documents.couchdb import CouchDBDocuments
from pusher.errors import DocumentsUnavailable
from pusher.simulators.authority import Authority
from tests.support.couchdb import PASSWORD, CouchDB


@pytest.fixture
def ca_file(couchdb: CouchDB) -> str:
    """The authority that signed the certificate of a CouchDB with one document."""
    couchdb.create("database")
    couchdb.put("database", {"_id": "document"})
    return str(couchdb.authority.ca_file)


def refusal(url: str, ca_file: str | None) -> str:
    """Return why the document cannot be read."""
    documents = CouchDBDocuments.from_url(url, ca_file=ca_file)
    with pytest.raises(DocumentsUnavailable) as caught:
        documents.read("database", "document")
    documents.close()
    assert PASSWORD not in str(caught.value)
    return str(caught.value).partition(": ")[2]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_trusted_couchdb_is_read(couchdb: CouchDB, ca_file: str, host: str) -> None:
    documents = CouchDBDocuments.from_url(couchdb.tls_url.replace("127.0.0.1", host), ca_file=ca_file)
    assert documents.read("database", "document")["_id"] == "document"
    documents.close()


def test_an_authority_that_we_do_not_know_is_refused(couchdb: CouchDB, ca_file: str, authority: Authority) -> None:
    for stranger in (None, str(authority.ca_file)):
        assert refusal(couchdb.tls_url, stranger).startswith("its certificate is not accepted: ")


def test_a_certificate_for_another_host_is_refused(couchdb: CouchDB, ca_file: str) -> None:
    with couchdb.presenting(couchdb.authority.server_certificate("elsewhere.example", "192.0.2.1")):
        for host in ("127.0.0.1", "localhost"):
            problem = refusal(couchdb.tls_url.replace("127.0.0.1", host), ca_file)
            assert f"mismatch, certificate is not valid for '{host}'" in problem


def test_an_expired_certificate_is_refused(couchdb: CouchDB, ca_file: str) -> None:
    last_year = utcnow() - timedelta(days=400)
    with couchdb.presenting(couchdb.authority.server_certificate("127.0.0.1", not_before=last_year)):
        assert refusal(couchdb.tls_url, ca_file) == "its certificate is not accepted: certificate has expired"


def test_a_server_without_tls_is_told_so(couchdb: CouchDB, ca_file: str) -> None:
    assert refusal(couchdb.url.replace("http://", "https://"), ca_file) == "it does not speak TLS there"


def test_a_server_that_expects_tls_ends_the_connection(couchdb: CouchDB, ca_file: str) -> None:
    """Others than this one answer 400. `pusher check` gives the advice."""
    assert refusal(couchdb.tls_url.replace("https://", "http://"), None) == "it ended the connection"


def test_a_server_that_never_answers_the_handshake_costs_the_usual_limit(
    ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "ANSWER_WITHIN_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        problem = refusal(f"https://127.0.0.1:{silent.getsockname()[1]}", ca_file)
        assert time.monotonic() - began < 2
    assert problem == "no answer within 0.5 s"
