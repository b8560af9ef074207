"""The real servers that tests share: started on first use, one of each, empty when a test begins."""

from collections.abc import Iterator

import pytest

from pusher.simulators.authority import Authority
from tests.support.child import serving
from tests.support.couchdb import CouchDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A private Redis; a test may stop and restart it."""
    yield from serving(RedisServer())


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of a running, empty Redis."""
    redis_server.start()
    redis_server.flush()
    return redis_server.url


@pytest.fixture(scope="session")
def couchdb_server() -> Iterator[CouchDB]:
    """A private server with CouchDB's API; a test may stop and restart it."""
    yield from serving(CouchDB())


@pytest.fixture
def couchdb(couchdb_server: CouchDB) -> CouchDB:
    """A running CouchDB without databases, which behaves."""
    couchdb_server.start()
    couchdb_server.reset()
    return couchdb_server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A private RabbitMQ; a test may stop, kill and restart it."""
    yield from serving(RabbitMQ())


@pytest.fixture
def bus_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    """The URL of a running broker's fresh virtual host, deleted after the test with the connections to it."""
    rabbitmq.start()
    with rabbitmq.vhost() as url:
        yield url


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs for Apple, Google and the servers of tests."""
    return Authority(tmp_path_factory.mktemp("authority"))
