"""How connections come about, and the one line that says why not."""

import base64
import contextlib
import os
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pusher.clock import Deadline
from pusher.errors import NotProcessed
from pusher.http2 import connection, dial
from pusher.http2 import pool as pool_module
from pusher.http2.origin import Origin
from pusher.http2.pool import HTTP2Pool
from pusher.trust import client_context
from tests.integration.http2.connect_proxy import ConnectProxy
from tests.integration.http2.sending import crowd, send
from tests.support.h2_peer import Certificates, H2Peer
from tests.support.until import until

Serve = Callable[..., H2Peer]
Connect = Callable[..., HTTP2Pool]


def test_a_hundred_threads_that_arrive_together_make_one_connection(serve: Serve, connect: Connect) -> None:
    peer = serve()
    pool = connect(peer)
    assert crowd(pool, range(100), threads=100).statuses() == {200}
    assert len(peer.links) == 1


def test_requests_wait_for_settings_that_come_late(serve: Serve, connect: Connect) -> None:
    peer = serve(on_connect=lambda link: None)
    pool = connect(peer)
    sent = crowd(pool, range(3), threads=3)
    until(lambda: peer.links)
    link = peer.links[0]
    with pytest.raises(NotProcessed, match="not connected"):
        send(pool, 3, seconds=0.1)
    assert link.most_open == 0
    link.post(link.start)
    assert sent.statuses() == {200}


def test_a_peer_that_never_becomes_ready_fails_all_who_wait_at_once(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_LIMIT_S", 0.3)
    pool = connect(serve(on_connect=lambda link: None))
    began = time.monotonic()
    assert crowd(pool, range(30), threads=30).statuses() == {connection.ConnectFailed}
    assert time.monotonic() - began < 2
    assert pool.stats.connections_opened == 1


def test_a_peer_that_accepts_and_says_nothing_is_given_up(
    serve: Serve, connect: Connect, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        origin = Origin(host="127.0.0.1", port=mute.getsockname()[1])
        pool = HTTP2Pool(origin, client_context(None))
        with contextlib.closing(pool), pytest.raises(NotProcessed, match="no TLS: timed out"):
            send(pool)


def test_closing_does_not_wait_for_a_connection_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        pool = HTTP2Pool(Origin(host="127.0.0.1", port=mute.getsockname()[1]), client_context(None))
        sent = crowd(pool, range(1), threads=1, seconds=30)
        until(lambda: pool.stats.connections_opened)
        began = time.monotonic()
        pool.close()
        assert time.monotonic() - began < 2
        assert sent.statuses() == {connection.ConnectFailed}


def test_a_refused_connection_is_not_tried_again_by_the_same_request() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        pool = HTTP2Pool(Origin(host="127.0.0.1", port=bound.getsockname()[1]), client_context(None))
        with contextlib.closing(pool), pytest.raises(NotProcessed, match="cannot connect: Connection refused"):
            send(pool)
    assert pool.stats.connections_opened == 1


def test_requests_that_come_right_after_a_failed_dial_share_its_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_module, "_DIAL_PAUSE_S", 60.0)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        pool = HTTP2Pool(Origin(host="127.0.0.1", port=bound.getsockname()[1]), client_context(None))
        with contextlib.closing(pool):
            results = crowd(pool, range(200), threads=10).join()
    assert {str(result) for result in results.values()} == {str(results[0])}
    assert {type(result) for result in results.values()} == {connection.ConnectFailed}
    assert "Connection refused" in str(results[0])
    assert pool.stats.connections_opened == 1
    assert len(caplog.records) == 1


def test_a_failed_dial_is_repeated_after_a_moment(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = connect(serve())
    look_up = dial.socket.getaddrinfo
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = (socket.AF_INET, socket.SOCK_STREAM, 0, "", taken.getsockname())
    monkeypatch.setattr(dial.socket, "getaddrinfo", lambda *_, **__: [dead])
    with pytest.raises(connection.ConnectFailed):
        send(pool)
    began = time.monotonic()
    monkeypatch.setattr(dial.socket, "getaddrinfo", look_up)

    def arrives() -> bool:
        try:
            return send(pool).status == 200
        except connection.ConnectFailed:
            return False

    until(arrives, what="a request on a new connection")
    assert time.monotonic() - began > 0.2
    assert pool.stats.connections_opened == 2


def test_a_process_without_descriptors_has_no_connection(serve: Serve, connect: Connect) -> None:
    pool = connect(serve())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(connection.ConnectFailed, match="Too many open files"):
            send(pool)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert send(pool).status == 200


def test_a_process_without_threads_has_no_connection_and_loses_no_descriptor(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = connect(serve())
    descriptors = os.listdir("/proc/self/fd")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(connection.ConnectFailed, match="can't start new thread"):
            send(pool)
    assert os.listdir("/proc/self/fd") == descriptors
    assert send(pool).status == 200


def test_a_request_that_comes_after_the_dial_failed_is_told_so_too() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        origin = Origin(host="127.0.0.1", port=bound.getsockname()[1])
        late = connection.HTTP2Connection(dial.Dialer(origin=origin, tls=client_context(None), proxy=None))
        late.join()
        with pytest.raises(connection.ConnectFailed, match="Connection refused"):
            late.send([], b"", Deadline.after(1))


@pytest.mark.parametrize("host", ["no-such-host.invalid", ".bad", "a" * 70 + ".invalid"])
def test_a_host_without_an_address_is_named_as_such(host: str) -> None:
    pool = HTTP2Pool(Origin(host=host, port=443), client_context(None))
    with contextlib.closing(pool), pytest.raises(NotProcessed, match="cannot connect"):
        send(pool)


def test_every_address_is_tried(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = serve()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = taken.getsockname()
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in (dead, ("127.0.0.1", peer.port))]
    monkeypatch.setattr(dial.socket, "getaddrinfo", lambda *_, **__: addresses)
    assert send(connect(peer)).status == 200


def test_every_connection_looks_the_name_up_afresh(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = connect(serve())
    asked: list[object] = []
    look_up = socket.getaddrinfo

    def count(*args: object, **options: object) -> object:
        asked.append(args[0])
        return look_up(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(dial.socket, "getaddrinfo", count)
    for number in range(3):
        assert send(pool, number).status == 200
        pool.renew()
    assert asked == ["localhost"] * 3


def test_a_peer_without_http2_is_not_spoken_to(serve: Serve, connect: Connect) -> None:
    with pytest.raises(NotProcessed, match="does not speak HTTP/2"):
        send(connect(serve(alpn=("http/1.1",))))


def test_a_certificate_of_an_unknown_authority_is_not_accepted(serve: Serve) -> None:
    pool = HTTP2Pool(Origin(host="localhost", port=serve().port), client_context(None))
    with contextlib.closing(pool), pytest.raises(NotProcessed, match=r"certificate is not accepted: .*issuer"):
        send(pool)


def test_a_certificate_for_another_name_is_not_accepted(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path, "push.example")
    with H2Peer(certificates) as peer:
        pool = HTTP2Pool(Origin(host="localhost", port=peer.port), client_context(str(certificates.ca_file)))
        with contextlib.closing(pool), pytest.raises(NotProcessed, match=r"accepted: Hostname mismatch"):
            send(pool)


def test_an_address_is_checked_against_the_certificate_too(serve: Serve, connect: Connect) -> None:
    assert send(connect(serve(), host="127.0.0.1")).status == 200


def test_the_socket_notices_a_dead_path_by_itself(serve: Serve, connect: Connect) -> None:
    pool = connect(serve())
    assert send(pool).status == 200
    assert pool._current is not None
    assert pool._current._channel is not None
    sock = pool._current._channel._sock
    for level, option, value in dial._SOCKET_OPTIONS:
        assert sock.getsockopt(level, option) == value


def test_requests_go_through_the_proxy(serve: Serve, connect: Connect) -> None:
    peer = serve()
    with ConnectProxy() as proxy:
        pool = connect(peer, proxy_url=f"http://127.0.0.1:{proxy.port}")
        assert crowd(pool, range(10), threads=10).statuses() == {200}
        assert proxy.asked == [f"CONNECT localhost:{peer.port} HTTP/1.1"]
        pool.close()


def test_the_proxy_is_given_the_password(serve: Serve, connect: Connect) -> None:
    authorization = "Basic " + base64.b64encode(b"user:p@ss").decode()
    with ConnectProxy(authorization=authorization) as proxy:
        pool = connect(serve(), proxy_url=f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        assert send(pool).status == 200
        pool.close()


def test_a_proxy_that_refuses_is_quoted_and_the_password_is_not(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with ConnectProxy(authorization="Basic other") as proxy:
        pool = connect(serve(), proxy_url=f"http://user:secret@127.0.0.1:{proxy.port}")
        with pytest.raises(NotProcessed, match=r"by the proxy: the proxy answered HTTP/1.1 407") as caught:
            send(pool)
        pool.close()
    assert "secret" not in str(caught.value) + caplog.text
    assert base64.b64encode(b"user:secret").decode() not in str(caught.value) + caplog.text


def test_a_peer_that_wants_a_client_certificate_says_so_and_is_not_dialled_for_each_request(
    certificates: Certificates, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_DIAL_PAUSE_S", 60.0)
    with H2Peer(certificates) as peer:
        peer._context.verify_mode = ssl.CERT_REQUIRED
        peer._context.load_verify_locations(certificates.ca_file)
        pool = connect(peer)
        for number in range(5):
            with pytest.raises(NotProcessed, match=r"(?i)certificate"):
                send(pool, number)
    assert pool.stats.connections_opened == 1


def test_a_warmed_pool_is_connected_before_its_first_request_and_again_when_the_peer_closed(
    serve: Serve, connect: Connect
) -> None:
    peer = serve()
    pool = connect(peer)
    assert not pool.warm()
    until(pool.warm)
    assert len(peer.links) == 1
    assert send(pool).status == 200
    assert len(peer.links) == 1
    peer.links[0].post(peer.links[0].close)
    until(lambda: not pool.warm())
    until(pool.warm)
    assert len(peer.links) == 2


def test_a_warmed_connection_that_was_silent_for_long_is_asked_for_a_sign_of_life(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = serve()
    pool = connect(peer)
    until(pool.warm)
    before = peer.links[0].pings
    pool.warm()
    assert send(pool).status == 200
    assert peer.links[0].pings == before
    monkeypatch.setattr(connection, "IDLE_PROBE_S", -1.0)
    pool.warm()
    until(lambda: peer.links[0].pings > before)


def test_a_connection_that_ended_a_moment_ago_is_asked_for_nothing(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = serve()
    pool = connect(peer)
    until(pool.warm)
    one = pool._connection()
    peer.links[0].post(peer.links[0].close)
    until(lambda: one.ended)
    monkeypatch.setattr(connection, "IDLE_PROBE_S", -1.0)
    assert not one.keep_alive()


def test_a_closed_pool_cannot_be_warmed(serve: Serve, connect: Connect) -> None:
    pool = connect(serve())
    pool.close()
    with pytest.raises(NotProcessed):
        pool.warm()
