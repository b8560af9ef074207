"""Exchanges and queues have exactly the flags that Kamailio and Kazoo declare them with (facts: kazoo.md 1)."""

from typing import Any

import pytest
from amqp.exceptions import ChannelError, PreconditionFailed, ResourceLocked

from pusher.bus.connection import connect
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, declare_dead, declare_queue, push_requests, registrations, setting_changes
from pusher.errors import BusUnavailable
from tests.integration.bus.broker import channel_to, counted, put, taken
from tests.support.until import until

KAMAILIOS: dict[str, Any] = {"durable": False, "auto_delete": False, "passive": False}
TYPES = {"pushes": "topic", "registrar": "topic", "targeted": "direct", "configuration": "topic"}


@pytest.mark.parametrize("name", TYPES)
def test_kamailio_may_declare_each_exchange_again_and_nobody_with_other_flags(bus_url: str, name: str) -> None:
    connect(bus_url, heartbeat_s=0).release()
    with channel_to(bus_url) as channel:
        channel.exchange_declare(name, TYPES[name], **KAMAILIOS)
    for other in (
        {"durable": True},
        {"auto_delete": True},
        {"type": "fanout"},
        {"arguments": {"alternate-exchange": "x"}},
    ):
        with channel_to(bus_url) as channel, pytest.raises(ChannelError) as refused:
            channel.exchange_declare(**{"exchange": name, "type": TYPES[name], **KAMAILIOS, **other})
        assert refused.value.reply_code == 406, other


def declared(url: str, name: str, *, durable: bool = True, **arguments: object) -> None:
    """Declare a queue as a stranger would."""
    named = {key.replace("_", "-"): value for key, value in arguments.items()}
    with channel_to(url) as channel:
        channel.queue_declare(name, durable=durable, auto_delete=False, arguments=named)


PUSH_REQ = {"x_message_ttl": 20_000, "x_dead_letter_exchange": "", "x_dead_letter_routing_key": "pusher.dead"}
REG_SUCCESS = {"x_max_length": 100_000, "x_overflow": "drop-head"}
DEAD_ARGUMENTS = {
    "x_max_length": 10_000,
    "x_max_length_bytes": 67_108_864,
    "x_message_ttl": 604_800_000,
    "x_overflow": "drop-head",
}


@pytest.mark.parametrize(
    ("queue", "arguments"),
    [(push_requests(20.0), PUSH_REQ), (registrations(), REG_SUCCESS), (DEAD, DEAD_ARGUMENTS)],
)
def test_queues_are_durable_and_have_exactly_these_arguments(bus_url: str, queue: Any, arguments: Any) -> None:
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, queue)
    declared(bus_url, queue.name, **arguments)
    for wrong in (arguments | {"x_max_priority": 5}, {"durable": False, **arguments}):
        with pytest.raises(PreconditionFailed):
            declared(bus_url, queue.name, **wrong)


def test_a_token_with_dots_reaches_the_queue_of_push_requests(bus_url: str) -> None:
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(20.0))
    for key in ("notification.push.apple.a.b..c", "notification.push.apple", "notification.pull.apple.a"):
        put(bus_url, key, exchange="pushes")
    assert counted(bus_url, "pusher.push_req") == 2


def test_the_queue_of_setting_changes_is_this_process_own_and_goes_with_it(bus_url: str) -> None:
    queue = setting_changes()
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, queue)
        # Its own process may declare it again, on the same connection.
        declare_queue(connection, queue)
        with pytest.raises(ResourceLocked):
            declared(bus_url, queue.name, durable=False)
    declared(bus_url, queue.name, durable=True)


def test_only_changes_of_the_pusher_document_are_heard(bus_url: str) -> None:
    queue = setting_changes()
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, queue)
        for verb in ("created", "edited", "deleted"):
            put(bus_url, f"doc_{verb}.system_config.undefined.pusher", exchange="configuration")
        for other in ("doc_edited.system_config.undefined.crossbar", "doc_edited.accounts.account.pusher"):
            put(bus_url, other, exchange="configuration")
        with connection.channel() as channel:
            assert channel.queue_declare(queue.name, passive=True).message_count == 3


def test_another_wake_window_replaces_an_empty_queue_with_its_bindings(bus_url: str) -> None:
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(20.0))
        declare_queue(connection, push_requests(30.0))
    declared(bus_url, "pusher.push_req", **PUSH_REQ | {"x_message_ttl": 30_000})
    put(bus_url, "notification.push.apple.t", exchange="pushes")
    assert counted(bus_url, "pusher.push_req") == 1


def test_another_wake_window_leaves_a_queue_with_messages_alone(bus_url: str) -> None:
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(20.0))
        put(bus_url, "pusher.push_req")
        with pytest.raises(BusUnavailable, match=r"pusher\.push_req exists with other arguments and is in use"):
            declare_queue(connection, push_requests(30.0))
        # The connection is as good as before.
        declare_queue(connection, push_requests(20.0))
    assert counted(bus_url, "pusher.push_req") == 1


def test_another_wake_window_leaves_a_queue_with_a_consumer_alone(bus_url: str) -> None:
    with connect(bus_url, heartbeat_s=0) as connection, channel_to(bus_url) as other:
        declare_queue(connection, push_requests(20.0))
        other.basic_consume("pusher.push_req")
        with pytest.raises(BusUnavailable, match="stop its other listeners"):
            declare_queue(connection, push_requests(30.0))


def test_another_releases_dead_letters_are_kept_and_added_to(bus_url: str, publisher: BusPublisher) -> None:
    """A `pusher.dead` with other arguments must not keep calls from being heard."""
    declared(bus_url, DEAD.name, x_max_length=7)
    put(bus_url, DEAD.name, b"letter")
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(20.0))
    publisher.bury(b"another", {}, "text/plain")
    assert [taken(bus_url).body, taken(bus_url).body] == [b"letter", b"another"]
    # An empty one makes way.
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_dead(connection)
    declared(bus_url, DEAD.name, **DEAD_ARGUMENTS)


def test_a_push_request_that_nobody_takes_in_time_is_kept(bus_url: str) -> None:
    """Before any other letter was written, too: RabbitMQ drops what it cannot move anywhere."""
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(0.05))
    put(bus_url, "notification.push.apple.t", b"late", exchange="pushes")
    until(lambda: counted(bus_url, DEAD.name) == 1)
    assert taken(bus_url).body == b"late"
