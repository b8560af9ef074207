"""How connections end, and what their requests learn: GOAWAY, loss, silence, renewal, closing."""

import socket
import time
from collections import Counter
from collections.abc import Callable

import pytest
from h2.settings import SettingCodes

from pusher.errors import NotProcessed, OutcomeUnknown
from pusher.http2 import connection, tls_channel
from pusher.http2.pool import HTTP2Pool
from tests.integration.http2.sending import crowd, send
from tests.support.h2_peer import H2Peer, Link, PeerRequest, answer, ignore
from tests.support.until import until

Serve = Callable[..., H2Peer]
Connect = Callable[..., HTTP2Pool]


def first_link(misbehave: Callable[[Link], object]) -> Callable[[Link, PeerRequest], None]:
    """Answer everywhere but on the first connection, where `misbehave` runs for each request instead."""

    def on_request(link: Link, pending: PeerRequest) -> None:
        if link.number == 0:
            misbehave(link)
        else:
            answer(link, pending)

    return on_request


def test_goaway_in_the_middle_has_every_request_processed_exactly_once(serve: Serve, connect: Connect) -> None:
    processed: Counter[str] = Counter()
    held: list[PeerRequest] = []

    def on_request(link: Link, pending: PeerRequest) -> None:
        if link.number > 0 or pending.stream_id <= 61:
            processed[pending.headers["apns-id"]] += 1
        if link.number > 0 or pending.stream_id <= 41:
            answer(link, pending)
        elif pending.stream_id <= 61:
            held.append(pending)
            if pending.stream_id == 61:
                link.go_away(61, b'{"reason":"Shutdown"}')

    def answer_held(link: Link) -> None:
        while link.number == 0 and held:
            answer(link, held.pop())

    peer = serve(on_request=on_request, on_idle=answer_held)
    pool = connect(peer)
    assert crowd(pool, range(300), threads=60).statuses() == {200}
    assert processed == Counter(str(number) for number in range(300))
    assert pool.stats.connections_opened == 2
    until(peer.links[0].ended.is_set, what="the drained connection closed")


def test_a_connection_that_went_away_is_not_used_again(serve: Serve, connect: Connect) -> None:
    peer = serve()
    pool = connect(peer)
    assert send(pool).status == 200
    link = peer.links[0]
    link.post(lambda: link.go_away(1))
    until(lambda: pool.stats.connections_alive == 0)
    assert send(pool, 1).status == 200
    assert [pending.link for pending in peer.requests] == [0, 1]


@pytest.mark.parametrize(
    "misbehave",
    [
        pytest.param(Link.close, id="closed"),
        pytest.param(lambda link: link.sock.shutdown(socket.SHUT_WR), id="half closed"),
        pytest.param(lambda link: link.send_raw(b"\x00\x00\x04garbage" * 99), id="garbage"),
        pytest.param(lambda link: link.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="http/1.1"),
        pytest.param(lambda link: link.sock.unwrap(), id="TLS closed"),
        pytest.param(lambda link: socket.socket.send(link.sock, b"no TLS record"), id="no TLS"),
    ],
)
def test_a_connection_lost_with_requests_in_flight_leaves_their_outcome_unknown(
    serve: Serve, connect: Connect, misbehave: Callable[[Link], object]
) -> None:
    def misbehave_late(link: Link) -> None:
        if len(peer.requests) == 5:
            misbehave(link)

    peer = serve(on_request=first_link(misbehave_late))
    pool = connect(peer)
    assert crowd(pool, range(5), threads=5).statuses() == {OutcomeUnknown}
    assert send(pool, 5).status == 200
    assert Counter(pending.link for pending in peer.requests) == {0: 5, 1: 1}


def test_requests_in_line_when_the_connection_is_lost_go_to_the_next(serve: Serve, connect: Connect) -> None:
    peer = serve(on_request=first_link(lambda _: None), settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    pool = connect(peer)
    first = crowd(pool, range(1), threads=1)
    until(lambda: peer.requests)
    others = crowd(pool, range(1, 4), threads=3)
    peer.links[0].close()
    assert others.statuses() == {200}
    assert first.statuses() == {OutcomeUnknown}


def test_a_connection_closed_while_idle_is_replaced_by_the_next_request(serve: Serve, connect: Connect) -> None:
    peer = serve()
    pool = connect(peer)
    assert send(pool).status == 200
    peer.links[0].close()
    until(lambda: pool.stats.connections_alive == 0)
    assert send(pool, 1).status == 200
    assert pool.stats.connections_opened == 2


def test_a_late_answer_costs_its_request_but_not_the_connection(serve: Serve, connect: Connect) -> None:
    late: list[PeerRequest] = []

    def on_request(link: Link, pending: PeerRequest) -> None:
        if late:
            answer(link, pending)
        late.append(pending)

    peer = serve(on_request=on_request)
    pool = connect(peer)
    with pytest.raises(OutcomeUnknown, match="deadline"):
        send(pool, seconds=0.1)
    until(lambda: peer.links[0].resets == [(1, 8)], what="RST_STREAM CANCEL")
    assert send(pool, 1).status == 200
    assert pool.stats.connections_opened == 1


def test_a_peer_that_went_silent_is_left_for_a_new_connection(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PROBE_LIMIT_S", 0.2)

    def fall_silent(link: Link) -> None:
        link.reading = False

    peer = serve(on_request=first_link(fall_silent))
    pool = connect(peer)
    patient = crowd(pool, range(1), threads=1, seconds=30)
    until(lambda: peer.requests)
    with pytest.raises(OutcomeUnknown):
        send(pool, 1, seconds=0.1)
    assert send(pool, 2, seconds=5).status == 200, "it waited for the probe only"
    assert patient.statuses() == {OutcomeUnknown}, "long before its own deadline"
    assert pool.stats.connections_opened == 2


def test_a_peer_that_does_not_read_holds_nobody_beyond_the_deadline(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PROBE_LIMIT_S", 0.2)
    peer = serve(on_connect=read_on_the_second_link_only, settings=WIDE)
    pool = connect(peer)
    began = time.monotonic()
    large = crowd(pool, range(1), threads=1, seconds=1, size=14_000_000)
    # The small ones must stand behind all of it; with less queued before them, their bytes may leave.
    until(lambda: pool._current and pool._current._channel and pool._current._channel.queued_bytes > 14_000_000)
    small = crowd(pool, range(1, 7), threads=6, seconds=20)
    assert large.statuses() == {OutcomeUnknown}
    assert small.statuses() == {200}, "not a byte of them had left, so they were sent again"
    assert time.monotonic() - began < 10
    assert pool.stats.connections_opened == 2


def test_a_peer_that_does_not_read_does_not_fill_the_memory(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls_channel, "_MAX_QUEUED_BYTES", 2_000_000)
    peer = serve(on_connect=read_on_the_second_link_only, settings=WIDE)
    pool = connect(peer)
    sent = crowd(pool, range(14), threads=14, seconds=30, size=1_000_000)
    until(lambda: "the peer does not read" in caplog.text, what="the connection given up before any deadline")
    pool.close()
    sent.join()


WIDE = {SettingCodes.INITIAL_WINDOW_SIZE: 2**30, SettingCodes.MAX_CONCURRENT_STREAMS: 100}


def read_on_the_second_link_only(link: Link) -> None:
    """Let the client send as much as it likes, and do not read it the first time."""
    link.start()
    link.h2.increment_flow_control_window(2**30)
    link.flush()
    link.reading = link.number > 0


def test_after_long_silence_a_connection_is_asked_before_it_is_used(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = serve()
    pool = connect(peer)
    assert send(pool).status == 200
    monkeypatch.setattr(connection, "PROBE_AFTER_S", 0.0)
    assert send(pool, 1).status == 200
    assert pool.stats.connections_opened == 1


def test_after_long_silence_a_dead_connection_costs_a_moment_and_no_request(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = serve()
    pool = connect(peer)
    assert send(pool).status == 200
    link = peer.links[0]
    link.post(lambda: setattr(link, "reading", False))
    until(lambda: not link.reading)
    monkeypatch.setattr(connection, "PROBE_AFTER_S", 0.0)
    monkeypatch.setattr(connection, "PROBE_LIMIT_S", 0.5)
    assert crowd(pool, range(1, 6), threads=5, seconds=5).statuses() == {200}
    assert Counter(pending.link for pending in peer.requests) == {0: 1, 1: 5}


def test_renew_sends_the_next_request_on_a_new_connection_and_lets_the_old_one_finish(
    serve: Serve, connect: Connect
) -> None:
    peer = serve(on_request=first_link(lambda _: None), settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    pool = connect(peer)
    old = crowd(pool, range(1), threads=1)
    until(lambda: peer.requests)
    in_line = crowd(pool, range(1, 3), threads=2)
    pool.renew()
    assert in_line.statuses() == {200}
    assert send(pool, 3).status == 200
    assert pool.stats.connections_alive == 2
    link = peer.links[0]
    link.post(lambda: link.respond(1, 201))
    assert old.statuses() == {201}
    until(lambda: pool.stats.connections_alive == 1)


def test_renew_without_a_connection_does_nothing(serve: Serve, connect: Connect) -> None:
    pool = connect(serve())
    pool.renew()
    assert send(pool).status == 200
    assert pool.stats.connections_opened == 1


def test_an_old_connection_does_not_drain_for_ever(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "DRAIN_LIMIT_S", 0.1)
    peer = serve(on_request=ignore)
    pool = connect(peer)
    old = crowd(pool, range(1), threads=1, seconds=20)
    until(lambda: peer.requests)
    pool.renew()
    until(lambda: old.results, seconds=5, what="the request given up, long before its deadline")
    assert old.statuses() == {OutcomeUnknown}


def test_close_fails_what_is_in_flight_and_whatever_comes_later(serve: Serve, connect: Connect) -> None:
    peer = serve(on_request=ignore, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    pool = connect(peer)
    sent = crowd(pool, range(5), threads=5, seconds=30)
    until(lambda: len(peer.requests) == 3)
    pool.close()
    assert sent.statuses() == {OutcomeUnknown, NotProcessed}
    assert Counter(type(result) for result in sent.results.values()) == {OutcomeUnknown: 3, NotProcessed: 2}
    with pytest.raises(NotProcessed, match="closed"):
        send(pool)
    pool.close()
    assert pool.stats.connections_alive == 0
    assert pool.stats.connections_opened == 1


def test_the_log_has_a_line_for_each_connection_and_nothing_of_its_requests(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    peer = serve()
    pool = connect(peer)
    number = 0xC0FFEE
    assert send(pool, number).status == 200
    link = peer.links[0]
    link.post(lambda: link.go_away(1, b'{"reason":"Shutdown"}'))
    until(lambda: pool.stats.connections_alive == 0)
    lines = [record.getMessage() for record in caplog.records if record.name == "pusher.http2"]
    assert [line.partition(": ")[2] for line in lines] == [
        "connected (TLSv1.3, 127.0.0.1)",
        "goes away: NO_ERROR (Shutdown)",
        "connection ended: the connection is closed (0 unanswered)",
    ]
    ours = [record.getMessage() for record in caplog.records if record.threadName != "peer link"]
    assert not [line for line in ours if "c0ffee" in line]
