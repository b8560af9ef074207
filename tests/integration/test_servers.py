"""The servers that tests run on: private, on loopback, stopped and started at will, emptied between tests."""

import socket
from collections.abc import Iterator
from pathlib import Path

import kombu
import pytest
import redis

from tests.support.child import find
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer
from tests.support.until import until


@pytest.fixture
def connection(bus_url: str) -> Iterator[kombu.Connection]:
    """A connection to the broker, not yet established."""
    with kombu.Connection(bus_url) as connection:
        yield connection


def put(connection: kombu.Connection, body: str) -> None:
    """Put a persistent message into a durable queue."""
    with connection.SimpleQueue("kept") as queue:
        queue.put(body)


def get(connection: kombu.Connection) -> str:
    """Take it out again."""
    with connection.SimpleQueue("kept") as queue:
        message = queue.get(timeout=5)
        message.ack()
        return str(message.payload)


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_finds_an_empty_broker(connection: kombu.Connection, turn: int) -> None:
    with connection.SimpleQueue("kept") as queue:
        assert queue.qsize() == 0
        queue.put(f"left behind by turn {turn}")
        until(lambda: queue.qsize() == 1)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restarted_broker_keeps_port_and_durable_messages(rabbitmq: RabbitMQ, bus_url: str, how: str) -> None:
    with kombu.Connection(bus_url, transport_options={"confirm_publish": True}) as before:
        put(before, "still here")
    getattr(rabbitmq, how)()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", rabbitmq.port)):
        pass
    rabbitmq.start()
    with kombu.Connection(bus_url) as after:
        assert get(after) == "still here"


def test_an_operator_can_close_all_connections(rabbitmq: RabbitMQ, connection: kombu.Connection) -> None:
    connection.connect()
    rabbitmq.close_connections()
    with pytest.raises(connection.connection_errors):
        connection.drain_events(timeout=5)


def test_stopped_redis_refuses_and_restarted_redis_is_empty_on_the_same_port(
    redis_server: RedisServer, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url, socket_timeout=1) as client:
        client.set("key", "value")
        redis_server.stop()
        with pytest.raises(redis.ConnectionError):
            client.get("key")
        redis_server.start()
        assert client.get("key") is None


def test_a_missing_server_fails_and_names_its_package() -> None:
    with pytest.raises(AssertionError, match="apt-get install no-such-package"):
        find("no-such-server", "no-such-package")


def test_closed_servers_leave_no_process_and_no_folder() -> None:
    """Every process that names one of their folders in its environment or arguments is gone, epmd included."""
    broker, store = RabbitMQ(), RedisServer()
    # Their own: another run of the tests has servers as well.
    folders = [broker._folder, Path(store._folder.name)]

    def ours() -> list[Path]:
        return [
            process.parent
            for process in Path("/proc").glob("[0-9]*/environ")
            if any(bytes(folder) in _content(process) for folder in folders)
        ]

    try:
        broker.start()
        store.start()
        assert len(ours()) >= 3
    finally:
        broker.close()
        store.close()
    until(lambda: not ours())
    assert not any(folder.exists() for folder in folders)


def _content(environ: Path) -> bytes:
    try:
        return environ.read_bytes() + environ.with_name("cmdline").read_bytes()
    except OSError:  # The process ended meanwhile, or is another user's.
        return b""
