"""Flows on embedded edges: fakeredis, a SQLite file, and doubles that record."""

import fakeredis
import pytest

from pusher.documents.sqlite import SQLiteDocuments
from pusher.stores.tokens import RedisTokens
from pusher.stores.waits import RedisWaits
from tests.support.recorders import RecordingBus, RecordingQueue


class Clock:
    """A wall clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """What the flows of one test share."""

    def __init__(self, documents: SQLiteDocuments) -> None:
        self.clock = Clock()
        self.server = fakeredis.FakeServer()
        redis = fakeredis.FakeStrictRedis(server=self.server, decode_responses=True)
        self.waits = RedisWaits(redis, now=self.clock)
        self.tokens = RedisTokens(redis)
        self.redis = redis
        self.bus = RecordingBus()
        self.queue = RecordingQueue()
        self.documents = documents

    def redis_away(self) -> None:
        """Have every Redis command fail from now on."""
        self.server.connected = False


@pytest.fixture
def world(tmp_path):
    documents = SQLiteDocuments(tmp_path / "pusher.db")
    made = World(documents)
    yield made
    documents.close()
    made.redis.close()
