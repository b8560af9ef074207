"""`amqps://`: whom we trust and under which name, what it says where we do not, and that all works as without TLS."""

import socket
import threading
import time
from datetime import timedelta
from pathlib import Path

import kombu
import pytest

from pusher.bus import connection as bus_connection
from pusher.bus.connection import CONNECTION_ERRORS, drop, reach
from pusher.bus.consumer import BusConsumer
from pusher.bus.delivery import one_by_one
from pusher.bus.inspection import inspecting
from pusher.bus.publisher import BusPublisher
from pusher.bus.tls import TLS
from pusher.clock import utcnow
from pusher.errors import BusUnavailable
from pusher.simulators.authority import Authority
from tests.integration.bus.broker import Handled, counted, plain
from tests.integration.bus.relay import Relay
from tests.integration.bus.test_batches import Batches, fill
from tests.support.rabbitmq import RabbitMQ
from tests.support.until import until


@pytest.fixture
def tls_url(rabbitmq: RabbitMQ, bus_url: str) -> str:
    """The virtual host of the test, over TLS."""
    return rabbitmq.tls_url(bus_url)


@pytest.fixture
def ca_file(rabbitmq: RabbitMQ) -> str:
    """The authority that signed the broker's certificate."""
    return str(rabbitmq.authority.ca_file)


def refusal(url: str, ca_file: str | None) -> str:
    """Return why there is no connection, as callers of a publisher read it."""
    publisher = BusPublisher(url, "pusher@test", tls=TLS.of(url, ca_file))
    with pytest.raises(BusUnavailable) as caught:
        publisher.connect()
    text = str(caught.value)
    assert text.isprintable()
    assert "guest" not in text
    return text.removeprefix("the broker did not take a message: ")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_trusted_broker_is_published_to_with_confirmation_and_consumed(
    rabbitmq: RabbitMQ, bus_url: str, ca_file: str, host: str
) -> None:
    url = rabbitmq.tls_url(bus_url, host)
    tls = TLS.of(url, ca_file)
    publisher = BusPublisher(url, "pusher@test", tls=tls)
    handled = Handled()
    consumer = BusConsumer(url, plain("q"), one_by_one(handled), publisher=publisher, prefetch=10, tls=tls)
    consumer.start()
    assert consumer.consuming.wait(10)
    large = bytes(300_000)
    for body in (b"small", large):
        publisher.publish("", "q", body)
    until(lambda: len(handled.deliveries) == 2)
    consumer.stop()
    publisher.close()
    assert handled.bodies == [b"small", large]
    assert counted(bus_url, "q") == 0


def test_what_tls_has_decrypted_already_counts_as_arrived(
    rabbitmq: RabbitMQ, bus_url: str, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a batch would end wherever a TLS record holds several messages."""
    url = rabbitmq.tls_url(bus_url)
    seen: list[tuple[bool, bool]] = []

    def asked(connection: object) -> bool:
        pending = connection.connection.sock.pending() > 0  # type: ignore[attr-defined]
        seen.append((pending, bus_connection.readable(connection)))  # type: ignore[arg-type]
        return seen[-1][1]

    monkeypatch.setattr("pusher.bus.consumer.readable", asked)
    bodies = fill(bus_url, 100)
    handle = Batches()
    tls = TLS.of(url, ca_file)
    publisher = BusPublisher(url, "pusher@test", tls=tls)
    consumer = BusConsumer(url, plain("q"), handle, publisher=publisher, prefetch=50, batch=8, tls=tls)
    consumer.start()
    until(lambda: len(handle.bodies) >= 100)
    consumer.stop()
    publisher.close()
    assert handle.bodies == bodies
    pending = [readable for pending, readable in seen if pending]
    assert pending
    assert all(pending)


def test_an_authority_that_we_do_not_know_is_refused(tls_url: str, authority: Authority) -> None:
    for ca_file in (None, str(authority.ca_file)):
        problem = refusal(tls_url, ca_file)
        assert problem.startswith("its certificate is not accepted: ")
        assert "certificate" in problem.partition(": ")[2]


@pytest.mark.parametrize("ssl", [False, True, {"cert_reqs": 0}])
def test_whoever_connects_without_our_trust_has_the_system_s(tls_url: str, ssl: object) -> None:
    connection = kombu.Connection(tls_url, connect_timeout=4, ssl=ssl)
    with pytest.raises(CONNECTION_ERRORS, match="its certificate is not accepted"):
        connection.ensure_connection(max_retries=0)
    connection.collect()


def test_pools_and_clones_of_connections_trust_alike(tls_url: str, ca_file: str) -> None:
    with kombu.Connection(tls_url, connect_timeout=4, ssl=TLS.of(tls_url, ca_file)) as connection:
        pool = connection.Pool(limit=1)
        with pool.acquire(block=True) as pooled:
            assert pooled.ensure_connection(max_retries=0).connected
        pool.force_close_all()
        with connection.clone() as cloned:
            assert cloned.ensure_connection(max_retries=0).connected


def test_a_certificate_for_another_host_is_refused(rabbitmq: RabbitMQ, bus_url: str, ca_file: str) -> None:
    with rabbitmq.presenting(rabbitmq.authority.server_certificate("elsewhere.example", "192.0.2.1")):
        for host in ("127.0.0.1", "localhost"):
            problem = refusal(rabbitmq.tls_url(bus_url, host), ca_file)
            assert "mismatch, certificate is not valid for " in problem
            assert host in problem


def test_an_expired_certificate_is_refused(rabbitmq: RabbitMQ, tls_url: str, ca_file: str) -> None:
    last_year = utcnow() - timedelta(days=400)
    with rabbitmq.presenting(rabbitmq.authority.server_certificate("127.0.0.1", not_before=last_year)):
        assert refusal(tls_url, ca_file) == "its certificate is not accepted: certificate has expired"


def test_the_name_in_the_url_counts_with_every_connection(rabbitmq: RabbitMQ, bus_url: str, ca_file: str) -> None:
    """kombu makes 127.0.0.1 of localhost when it connects, and keeps that for the next time."""
    by_name, by_address = (rabbitmq.tls_url(bus_url, host) for host in ("localhost", "127.0.0.1"))
    with rabbitmq.presenting(rabbitmq.authority.server_certificate("localhost")):
        connection = reach(by_name, heartbeat_s=0, tls=TLS.of(by_name, ca_file))
        with connection.clone() as again:
            again.ensure_connection(max_retries=0)
        connection.release()
        assert "mismatch" in refusal(by_address, ca_file)


def test_a_broker_that_speaks_no_tls_is_told_so(bus_url: str, ca_file: str) -> None:
    assert refusal(bus_url.replace("amqp://", "amqps://"), ca_file) == "it does not speak TLS there"


def test_a_broker_that_expects_tls_is_told_so(tls_url: str) -> None:
    problem = refusal(tls_url.replace("amqps://", "amqp://"), None)
    assert problem == "it ended the connection at once: does it expect TLS (amqps://)?"


def test_a_server_that_never_answers_the_handshake_costs_the_usual_limit(
    ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_connection, "CONNECT_LIMIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        problem = refusal(f"amqps://127.0.0.1:{silent.getsockname()[1]}//", ca_file)
        assert time.monotonic() - began < 2
    assert problem == "no answer to the TLS handshake: does it speak TLS there?"


def test_pusher_check_reads_the_same_words(tls_url: str) -> None:
    with pytest.raises(BusUnavailable, match=r"^not reached: its certificate is not accepted: "), inspecting(tls_url):
        raise AssertionError("it was reached")


def test_a_consumer_goes_on_trying_until_it_can_trust(
    rabbitmq: RabbitMQ, tls_url: str, ca_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    tls = TLS.of(tls_url, ca_file)
    publisher = BusPublisher(tls_url, "pusher@test", tls=tls)
    consumer = BusConsumer(tls_url, plain("q"), one_by_one(Handled()), publisher=publisher, prefetch=1, tls=tls)
    with rabbitmq.presenting(rabbitmq.authority.server_certificate("elsewhere.example")):
        consumer.start()
        until(lambda: sum(record.message == "bus connection lost, reconnecting" for record in caplog.records) >= 2)
    assert consumer.consuming.wait(10)
    rabbitmq.close_connections()
    until(lambda: not consumer.consuming.is_set())
    assert consumer.consuming.wait(10)
    consumer.stop()
    assert "guest:guest" not in caplog.text


def test_nobody_waits_for_the_farewell_of_a_broker_that_hangs(tls_url: str, ca_file: str) -> None:
    with Relay(tls_url) as relay:
        connection = reach(relay.url, heartbeat_s=0, tls=TLS.of(relay.url, ca_file))
        relay.freeze()
        began = time.monotonic()
        drop(connection)
        assert time.monotonic() - began < 1
        relay.thaw()


def test_one_thread_at_a_time_is_in_openssl(tls_url: str, ca_file: str) -> None:
    """A worker's event loop reads where its pool threads publish events, and OpenSSL does not bear two at once."""
    connection = reach(tls_url, heartbeat_s=0, tls=TLS.of(tls_url, ca_file), confirm=False)
    channel = connection.channel()
    ended: list[str] = []

    def read() -> None:
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.5)
        ended.append("read")

    reader = threading.Thread(target=read)
    reader.start()
    until(connection.connection.transport._lock.locked)
    channel.basic_publish(channel.prepare_message(b"{}"), "", "nowhere")
    ended.append("write")
    reader.join()
    connection.release()
    assert ended == ["read", "write"]


def test_the_url_says_whether_there_is_tls_and_for_whom(tmp_path: Path) -> None:
    assert TLS.of("amqp://broker//", str(tmp_path / "none.pem")) is None
    for host, name in (("Broker.example", "broker.example"), ("[::1]", "::1"), ("192.0.2.1", "192.0.2.1")):
        tls = TLS.of(f"amqps://kazoo:geheim@{host}:5671//", None)
        assert tls is not None
        assert tls.server_name == name
        assert "geheim" not in repr(tls)
