"""The URL of a CouchDB: what is taken of it, what is refused, and that its password is never said."""

from pathlib import Path

import pytest

from pusher.documents.couchdb import CouchDBDocuments
from pusher.errors import DocumentConflict, SettingsInvalid

GOOD = (
    "http://h",
    "http://h:5984/",
    "https://user@h:6984",
    "https://u%40:p%2F%3A%23%3F%C3%B6@h/prefix/",
    "http://[::1]:5984",
    "http://kazoo_couch:5984",
    "HTTP://H",
)


@pytest.mark.parametrize("url", GOOD)
def test_good_urls(url: str) -> None:
    CouchDBDocuments.from_url(url, ca_file=None).close()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("couchdb.example.com", "must be http://user:password@host:5984 or "),
        ("sqlite:///geheim.db", "must be http://"),
        ("http://", "must be http://"),
        ("http://user:geheim@", "must be http://"),
        ("http://user:geheim@:5984", "must be http://"),
        ("http://user:geheim@h:0", "must be http://"),
        ("http://user:geheim@h:port", "is not a URL"),
        ("http://user:ge/heim@h:5984", "is not a URL"),
        ("http://user:geheim@[h", "is not a URL"),
        ("http://user:geheim@.h", "is not a URL"),
        ("http://user:geheim@a..ö", "is not a URL"),
        ("http://user:geheim@h/?timeout=5", "takes no options: in a password, ? is written %3F and # is written %23"),
        ("http://user:geheim@h/#fragment", "takes no options"),
        ("http://h?geheim", "takes no options"),
    ],
)
def test_urls_that_cannot_be_used_are_told_by_the_name_of_their_setting(url: str, problem: str) -> None:
    with pytest.raises(SettingsInvalid) as told:
        CouchDBDocuments.from_url(url, ca_file=None, name="--from")
    assert told.value.name == "--from"
    assert told.value.problem.startswith(problem)
    assert "geheim" not in str(told.value)


def test_a_file_of_authorities_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"^PUSHER_CA_FILE: "):
        CouchDBDocuments.from_url("https://h", ca_file=str(tmp_path / "none.pem"))


def test_nothing_shows_the_password() -> None:
    documents = CouchDBDocuments.from_url("http://user:geheim@h", ca_file=None)
    assert "geheim" not in repr(documents) + repr(vars(documents))


@pytest.mark.parametrize("rev", ["", "nonsense", "1", "-a", "a-1", "1-a b"])
def test_a_revision_that_couchdb_cannot_have_made_is_a_conflict_and_no_question(rev: str) -> None:
    """CouchDB would answer 400, which says nothing of the document."""
    documents = CouchDBDocuments.from_url("http://127.0.0.1:9", ca_file=None)
    with pytest.raises(DocumentConflict):
        documents.save("db", {"_id": "a", "_rev": rev})
