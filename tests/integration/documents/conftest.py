"""A CouchDB with one account, and a store that reaches it."""

from collections.abc import Iterator

import pytest

from pusher.documents.couchdb import CouchDBDocuments
from tests.integration.documents.samples import DATABASE, DEVICE
from tests.support.couchdb import CouchDB


@pytest.fixture
def rev(couchdb: CouchDB) -> str:
    """The revision of the device's document, which is there, as is a database for settings."""
    couchdb.create("system_config", DATABASE)
    return couchdb.put(DATABASE, DEVICE)


@pytest.fixture
def documents(couchdb: CouchDB, rev: str) -> Iterator[CouchDBDocuments]:
    """The store as a process has it."""
    store = CouchDBDocuments.from_url(couchdb.url, ca_file=None)
    yield store
    store.close()
