"""A publisher on the real broker, and a relay in front of it."""

from collections.abc import Iterator

import pytest

from pusher.bus import consumer as bus_consumer
from pusher.bus.publisher import BusPublisher
from tests.integration.bus.relay import Relay


@pytest.fixture(autouse=True)
def _quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have consumers look at their stop event twenty times a second, for the tests' sake."""
    monkeypatch.setattr(bus_consumer, "TICK_S", 0.05)


@pytest.fixture(autouse=True)
def _no_surprises(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a broker does, it is an error that the code under test knows."""
    yield
    assert not [record for record in caplog.get_records("call") if "in an unknown way" in record.message]


@pytest.fixture
def publisher(bus_url: str) -> Iterator[BusPublisher]:
    """A publisher that has not connected yet."""
    made = BusPublisher(bus_url, "pusher@test")
    yield made
    made.close()


@pytest.fixture
def relay(bus_url: str) -> Iterator[Relay]:
    """A relay to the broker."""
    with Relay(bus_url) as relay:
        yield relay
