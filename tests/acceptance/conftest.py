"""A running system per module: starting one takes seconds, and calls do not get in one another's way."""

from collections.abc import Iterator

import pytest

from tests.acceptance.system import System, running_system
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, rabbitmq: RabbitMQ, redis_server: RedisServer) -> Iterator[System]:
    """Listener, worker, providers and phones, all running."""
    rabbitmq.start()
    redis_server.start()
    redis_server.flush()
    with (
        rabbitmq.vhost() as bus_url,
        running_system(tmp_path_factory.mktemp("system"), bus_url, redis_server.url) as made,
    ):
        yield made


@pytest.fixture(autouse=True)
def _providers_behave(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have no misbehaviour outlive its test, and no test leave a violation of the protocol behind."""
    yield
    if "system" in request.fixturenames:
        stage = request.getfixturevalue("system").stage
        for provider in (stage.apns, stage.fcm):
            provider.clear()
            assert provider.violations == []
