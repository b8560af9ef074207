"""The broker goes away and comes back: exchanges, queues and bindings are there again, and messages flow."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from pusher.bus.delivery import Delivery
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, EXCHANGES, push_requests, setting_changes
from pusher.errors import BusUnavailable, MessageInvalid
from tests.integration.bus.broker import Handled, channel_to, consuming, counted, put
from tests.support.rabbitmq import RabbitMQ
from tests.support.until import until


def bury_bad(delivery: Delivery) -> None:
    """Understand everything but `bad`."""
    if delivery.body == b"bad":
        raise MessageInvalid("body", "is bad")


@contextmanager
def stopped(rabbitmq: RabbitMQ) -> Iterator[None]:
    """Have the broker stopped meanwhile, the orderly way and without leaving its Erlang node, which saves seconds."""
    rabbitmq.eval("rabbit:stop()", seconds=30)
    try:
        yield
    finally:
        rabbitmq.eval("rabbit:start()", seconds=60)


@contextmanager
def killed(rabbitmq: RabbitMQ) -> Iterator[None]:
    """Have the broker killed, and start another one on its port and data."""
    rabbitmq.kill()
    try:
        yield
    finally:
        rabbitmq.start()


@pytest.mark.parametrize("down", [stopped, killed])
def test_after_a_restart_of_the_broker_everything_goes_on_by_itself(
    rabbitmq: RabbitMQ, bus_url: str, publisher: BusPublisher, down: Callable[[RabbitMQ], AbstractContextManager[None]]
) -> None:
    calls, changes, connects = Handled(then=bury_bad), Handled(), []
    with (
        consuming(bus_url, push_requests(20.0), calls, publisher=publisher) as of_calls,
        consuming(
            bus_url, setting_changes(), changes, publisher=publisher, on_connect=lambda: connects.append(1)
        ) as of_changes,
    ):
        put(bus_url, "notification.push.apple.t", b"bad", exchange="pushes")
        until(lambda: counted(bus_url, DEAD.name) == 1)
        publisher.publish("", "nowhere", b"")

        with down(rabbitmq):
            until(lambda: not of_calls.consuming.is_set() and not of_changes.consuming.is_set())
            for _ in range(3):
                began = time.monotonic()
                with pytest.raises(BusUnavailable):
                    publisher.publish("", "nowhere", b"")
                assert time.monotonic() - began < 1
        assert of_calls.consuming.wait(20)
        assert of_changes.consuming.wait(20)
        # They are transient: Kamailio goes silent for good where they are missing.
        with channel_to(bus_url) as channel:
            for exchange in EXCHANGES:
                channel.exchange_declare(exchange.name, exchange.type, passive=True)
        put(bus_url, "notification.push.apple.t", b"call", exchange="pushes")
        publisher.publish("configuration", "doc_edited.system_config.undefined.pusher", b"change")
        until(lambda: b"call" in calls.bodies and changes.bodies == [b"change"])
    assert len(connects) == 2
    assert counted(bus_url, DEAD.name) == 1
