"""The edges on which each port's suite runs: the embedded one and the real one."""

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
import redis

from pusher.documents.couchdb import CouchDBDocuments
from pusher.documents.sqlite import SQLiteDocuments
from pusher.ports import Documents
from pusher.stores.connection import connect
from tests.support.couchdb import CouchDB


class Clock:
    """A wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.5

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    """The stores' clock."""
    return Clock()


@pytest.fixture(params=["fakeredis", "redis"])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """An empty Redis: the one of the demo, and a real one reached as in production."""
    if request.param == "fakeredis":
        client = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(), decode_responses=True)
    else:
        client = connect(request.getfixturevalue("redis_url"))
    yield client
    client.close()


@pytest.fixture
def real_client(redis_url: str) -> Iterator[redis.Redis]:
    """An empty real Redis, for what only a real one can show."""
    with connect(redis_url) as client:
        yield client


@pytest.fixture(params=["sqlite", "couchdb"])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Documents]:
    """An empty documents store, with every database that the suite uses."""
    if request.param == "sqlite":
        store: CouchDBDocuments | SQLiteDocuments = SQLiteDocuments(tmp_path / "pusher.db")
    else:
        couchdb: CouchDB = request.getfixturevalue("couchdb")
        couchdb.create("system_config", "account/00/11/2233445566778899aabbccddeeff")
        store = CouchDBDocuments.from_url(couchdb.url, ca_file=None)
    yield store
    store.close()
