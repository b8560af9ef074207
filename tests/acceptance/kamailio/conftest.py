"""One lab per flavour for the whole package: starting one takes seconds, and calls do not get in one another's way."""

from collections.abc import Iterator

import pytest

from tests.acceptance.kamailio.lab import Flavour, Lab, running_lab
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer


@pytest.fixture(scope="package", params=list(Flavour), ids=lambda flavour: flavour.name.lower())
def lab(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    rabbitmq: RabbitMQ,
    redis_server: RedisServer,
) -> Iterator[Lab]:
    """Pusher's processes, Kamailio, providers and phones, all running."""
    rabbitmq.start()
    redis_server.start()
    redis_server.flush()
    folder = tmp_path_factory.mktemp("kamailio")
    with rabbitmq.vhost() as bus_url, running_lab(folder, rabbitmq, bus_url, redis_server.url, request.param) as made:
        yield made


@pytest.fixture(autouse=True)
def _nobody_complains(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a warning of Kamailio behind, nor anything that a phone or a provider had to object to."""
    yield
    if "lab" in request.fixturenames:
        lab: Lab = request.getfixturevalue("lab")
        assert [line for line in lab.kamailio.complaints() if not lab.expects(line)] == []
        assert [phone.violations for phone in lab.phones if phone.violations] == []
        stage = lab.system.stage
        for provider in (stage.apns, stage.fcm):
            provider.clear()
            assert provider.violations == []
