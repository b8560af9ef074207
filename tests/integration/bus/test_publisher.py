"""The publisher loses no message that it did not complain about, and complains within bounded time."""

import contextlib
import json
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import kombu
import pytest

from pusher.bus import confirmed_publisher
from pusher.bus import connection as bus_connection
from pusher.bus.confirmed_publisher import ConfirmedPublisher, Outgoing
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, PUSHES
from pusher.errors import BusUnavailable
from pusher.messages.document_change import DocumentChange
from pusher.messages.push_response import PushResponse
from tests.integration.bus.broker import channel_to, close_connections, counted, plain, put, taken
from tests.integration.bus.relay import Relay
from tests.support.child import port_of, reserve_port
from tests.support.rabbitmq import RabbitMQ
from tests.support.until import until

ANSWER = PushResponse(server_id="proxy-1", msg_id="m1", token="t1")
CHANGE = DocumentChange(created=False, database="system_config", doc_id="pusher", rev="2-x")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """Have a broker's silence last half a second instead of four; return the seconds that one message may take."""
    monkeypatch.setattr(bus_connection, "CONNECT_LIMIT_S", 0.5)
    monkeypatch.setattr(confirmed_publisher, "CONNECT_LIMIT_S", 0.5)
    monkeypatch.setattr(confirmed_publisher, "QUEUE_LIMIT_S", 1.0)
    return 3.0


def declare(url: str, name: str = "q", **arguments: object) -> str:
    """Declare a queue bound to everything that is published to `pushes`, and return its name."""
    bus_connection.connect(url, heartbeat_s=0).release()
    with channel_to(url) as channel:
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
        channel.queue_bind(name, "pushes", "#")
    return name


def publish(publisher: BusPublisher, body: bytes = b"{}", queue: str = "q") -> None:
    """Publish straight into `queue`."""
    publisher.publish("", queue, body)


def test_an_answer_goes_to_the_proxy_that_asked(bus_url: str, publisher: BusPublisher) -> None:
    publisher.close()
    bus_connection.connect(bus_url, heartbeat_s=0).release()
    with channel_to(bus_url) as channel:
        channel.queue_declare("answers")
        channel.queue_bind("answers", "targeted", ANSWER.server_id)
        publisher.respond(ANSWER)
        message = channel.basic_get("answers", no_ack=True)
    assert message.properties["content_type"] == "application/json"
    assert message.properties["delivery_mode"] == 1
    assert json.loads(message.body) == ANSWER.to_message("pusher@test")


def test_a_changed_document_is_announced_on_configuration(bus_url: str, publisher: BusPublisher) -> None:
    bus_connection.connect(bus_url, heartbeat_s=0).release()
    with channel_to(bus_url) as channel:
        channel.queue_declare("changes")
        channel.queue_bind("changes", "configuration", "doc_edited.system_config.undefined.pusher")
        publisher.document_changed(CHANGE)
        assert json.loads(channel.basic_get("changes", no_ack=True).body)["Rev"] == "2-x"


def test_a_buried_message_survives_as_it_was(bus_url: str, publisher: BusPublisher) -> None:
    publisher.bury(b"\xff\x00", {"x-pusher-reason": "message_invalid"}, "text/strange")
    message = taken(bus_url, DEAD.name)
    assert (message.body, message.properties["content_type"]) == (b"\xff\x00", "text/strange")
    assert message.properties["delivery_mode"] == 2
    assert message.properties["application_headers"] == {"x-pusher-reason": "message_invalid"}


def test_what_the_broker_refuses_to_keep_is_told(bus_url: str, publisher: BusPublisher) -> None:
    """A full queue answers basic.nack, which py-amqp raises as no AMQPError of its own."""
    declare(bus_url, **{"x-max-length": 1, "x-overflow": "reject-publish"})
    publish(publisher)
    with pytest.raises(BusUnavailable, match="did not take a message: MessageNacked"):
        publish(publisher)
    taken(bus_url, "q")
    publish(publisher)


def messages(*bodies: bytes) -> list[Outgoing]:
    """Return messages that go straight into `q`."""
    return [Outgoing(exchange="", routing_key="q", body=body, properties={"delivery_mode": 2}) for body in bodies]


def test_many_messages_are_on_their_way_together_and_arrive_in_order(bus_url: str, relay: Relay) -> None:
    declare(bus_url)
    bodies = [str(number).encode() for number in range(500)]
    publisher = ConfirmedPublisher(relay.url, lambda connection: None)
    publisher.publish(messages(*bodies))
    assert counted(bus_url, "q") == 500
    publisher.close()
    with channel_to(bus_url) as channel:
        assert [channel.basic_get("q", no_ack=True).body for _ in bodies] == bodies
    assert len(relay.received) == 1


def test_one_of_many_that_the_broker_refuses_is_told(bus_url: str) -> None:
    declare(bus_url, **{"x-max-length": 2, "x-overflow": "reject-publish"})
    publisher = ConfirmedPublisher(bus_url, lambda connection: None)
    with pytest.raises(BusUnavailable, match="MessageNacked"):
        publisher.publish(messages(b"1", b"2", b"3"))
    publisher.close()
    # The first try filled the queue; the second one, afresh, is refused altogether.
    assert counted(bus_url, "q") == 2


def test_a_connection_that_breaks_among_many_costs_none_of_them(rabbitmq: RabbitMQ, bus_url: str, relay: Relay) -> None:
    declare(bus_url)
    publisher = ConfirmedPublisher(relay.url, lambda connection: None)
    publisher.publish(messages(b"first"))
    for cut in range(0, 4000, 271):
        relay.cut_after(cut)
        bodies = [f"{cut}-{number}".encode() for number in range(20)]
        # Some of them are closing by themselves.
        close_connections(rabbitmq)
        try:
            publisher.publish(messages(*bodies))
        except BusUnavailable:
            publisher.publish(messages(*bodies))
        with channel_to(bus_url) as channel:
            arrived = set()
            while (message := channel.basic_get("q", no_ack=True)) is not None:
                arrived.add(message.body)
        assert arrived >= set(bodies)
    publisher.close()


def test_what_prepares_a_connection_comes_before_its_first_message(rabbitmq: RabbitMQ, bus_url: str) -> None:
    prepared = []

    def prepare(connection: kombu.Connection) -> None:
        with connection.channel() as channel:
            prepared.append(channel.queue_declare("q", durable=True, auto_delete=False).message_count)

    publisher = ConfirmedPublisher(bus_url, prepare)
    publisher.connect()
    assert prepared == [0]
    publisher.publish(messages(b"1"))
    close_connections(rabbitmq)
    publisher.publish(messages(b"2"))
    assert prepared == [0, 1]
    assert counted(bus_url, "q") == 2
    publisher.close()


def test_what_must_reach_a_queue_and_reaches_none_is_told(bus_url: str, publisher: BusPublisher) -> None:
    with pytest.raises(BusUnavailable, match="NO_ROUTE"):
        publisher.publish("", "nowhere", b"", mandatory=True)
    publisher.publish("", "nowhere", b"")
    with pytest.raises(BusUnavailable, match="NOT_FOUND"):
        publisher.publish("no-such-exchange", "key", b"")
    declare(bus_url)
    publish(publisher)
    assert counted(bus_url, "q") == 1


def test_a_message_that_cannot_be_encoded_leaves_the_publisher_usable(bus_url: str, publisher: BusPublisher) -> None:
    declare(bus_url)
    publish(publisher)
    with pytest.raises(struct.error):
        publisher.publish(PUSHES, "k" * 256, b"")
    publish(publisher)
    assert counted(bus_url, "q") == 2


def test_fifty_threads_share_one_connection_and_mix_nothing_up(bus_url: str, relay: Relay) -> None:
    declare(bus_url)
    publisher = BusPublisher(relay.url, "pusher@test")
    bodies = [f"{number}-".encode() * (1 + number % 7 * 40_000 // 6) for number in range(400)]
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda body: publish(publisher, body), bodies))
    publisher.close()
    assert len(relay.received) == 1
    with channel_to(bus_url) as channel:
        arrived = [channel.basic_get("q", no_ack=True).body for _ in bodies]
    assert sorted(arrived) == sorted(bodies)


def test_a_connection_that_the_broker_closed_at_rest_costs_no_message(
    rabbitmq: RabbitMQ, bus_url: str, publisher: BusPublisher
) -> None:
    declare(bus_url)
    for number in range(3):
        publish(publisher, f"{number}".encode())
        rabbitmq.close_connections()
    with channel_to(bus_url) as channel:
        assert [channel.basic_get("q", no_ack=True).body for _ in range(3)] == [b"0", b"1", b"2"]
        assert channel.basic_get("q") is None


def test_a_broker_that_is_down_is_told_at_once() -> None:
    with reserve_port() as holder:
        publisher = BusPublisher(f"amqp://guest:guest@127.0.0.1:{port_of(holder)}//", "pusher@test")
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(BusUnavailable, match="refused"):
                publisher.respond(ANSWER)
            assert time.monotonic() - began < 0.5
        publisher.close()


def test_a_broker_that_falls_silent_is_told_in_bounded_time_from_every_thread(
    bus_url: str, relay: Relay, impatient: float
) -> None:
    declare(bus_url)
    publisher = BusPublisher(relay.url, "pusher@test")
    publish(publisher)
    relay.freeze()

    def took(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(BusUnavailable):
            publish(publisher)
        return time.monotonic() - began

    with ThreadPoolExecutor(20) as pool:
        assert max(pool.map(took, range(20))) < impatient
    relay.thaw()
    publish(publisher, b"after")
    publisher.close()


def test_a_broker_that_takes_no_messages_for_want_of_memory_is_told_in_bounded_time(
    rabbitmq: RabbitMQ, bus_url: str, publisher: BusPublisher, impatient: float
) -> None:
    """Under an alarm RabbitMQ reads nothing from who publishes, not even the word that the connection closes."""
    declare(bus_url)
    publish(publisher)
    alarm = "{resource_limit, memory, node()}"
    rabbitmq.eval(f"rabbit_alarm:set_alarm({{{alarm}, []}})")
    try:
        began = time.monotonic()
        # The broker notices the publisher by the first message, and may still have taken it.
        with contextlib.suppress(BusUnavailable):
            publish(publisher)
        with pytest.raises(BusUnavailable):
            publish(publisher)
        assert time.monotonic() - began < 2 * impatient
    finally:
        rabbitmq.eval(f"rabbit_alarm:clear_alarm({alarm})")
    publish(publisher, b"after")


def test_a_connection_cut_at_any_byte_costs_an_error_or_nothing(bus_url: str, relay: Relay) -> None:
    """py-amqp has many ways to fail on half a frame; what is not told must have arrived."""
    declare(bus_url)
    probe = BusPublisher(relay.url, "pusher@test")
    publish(probe)
    whole = relay.received[0]
    probe.close()
    confirmed = 1
    for cut in range(0, whole + 40, 13):
        publisher = BusPublisher(relay.url, "pusher@test")
        relay.cut_after(cut)
        # A connection that never worked is told; one that worked once is made again by itself.
        if cut < whole:
            with pytest.raises(BusUnavailable):
                publish(publisher)
        for _ in range(3):
            publish(publisher)
            confirmed += 1
        publisher.close()
    assert counted(bus_url, "q") >= confirmed


def test_threads_go_on_publishing_while_connections_are_closed_under_them(
    rabbitmq: RabbitMQ, bus_url: str, publisher: BusPublisher
) -> None:
    declare(bus_url)
    over = threading.Event()

    def keep_publishing(thread: int) -> list[bytes]:
        confirmed = []
        for number in range(100_000):
            if over.is_set():
                break
            body = f"{thread}-{number}".encode()
            try:
                publish(publisher, body)
            except BusUnavailable:
                continue
            confirmed.append(body)
        return confirmed

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(keep_publishing, thread) for thread in range(8)]
        for _ in range(20):
            before = publisher._publisher._connection
            close_connections(rabbitmq)
            until(lambda before=before: publisher._publisher._connection not in (before, None))
        over.set()
        confirmed = [body for thread in running for body in thread.result()]
    with channel_to(bus_url) as channel:
        arrived = set()
        while (message := channel.basic_get("q", no_ack=True)) is not None:
            arrived.add(message.body)
    assert len(confirmed) > 20
    assert arrived >= set(confirmed)


def test_closing_twice_or_unused_is_fine_and_a_later_message_connects_again(
    bus_url: str, publisher: BusPublisher
) -> None:
    publisher.close()
    declare(bus_url)
    publish(publisher)
    publisher.close()
    publisher.close()
    publish(publisher)
    assert counted(bus_url, plain("q").name) == 2
    put(bus_url, "q")
