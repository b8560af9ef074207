"""Many requests on one connection: the stream limit, flow control, refusals and resets."""

from collections import Counter
from collections.abc import Callable

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from pusher.clock import Deadline
from pusher.errors import NotProcessed, OutcomeUnknown
from pusher.http2.pool import HTTP2Pool
from pusher.http2.request import Response
from tests.integration.http2.sending import crowd, request, send
from tests.support.h2_peer import H2Peer, Link, PeerRequest, answer, ignore, refuse
from tests.support.until import until

Serve = Callable[..., H2Peer]
Connect = Callable[..., HTTP2Pool]


def streams(count: int) -> dict[SettingCodes, int]:
    return {SettingCodes.MAX_CONCURRENT_STREAMS: count}


def answer_all(link: Link) -> None:
    for pending in list(link.open.values()):
        link.respond(pending.stream_id, body=bytes(pending.body))


@pytest.mark.parametrize(("limit", "count", "threads"), [(10, 500, 100), (1, 100, 50)])
def test_hundreds_of_requests_share_a_connection_within_its_stream_limit(
    serve: Serve, connect: Connect, limit: int, count: int, threads: int
) -> None:
    def hold(link: Link, _: PeerRequest) -> None:
        if len(link.open) >= limit:
            answer_all(link)

    peer = serve(settings=streams(limit), on_request=hold, on_idle=answer_all)
    pool = connect(peer)
    results = crowd(pool, range(count), threads=threads).join()
    assert all(isinstance(results[n], Response) and results[n].body == b"%d" % n for n in range(count))
    assert len(peer.links) == 1
    assert peer.links[0].most_open == limit
    assert pool.stats.connections_opened == 1
    assert pool.stats.streams_in_flight == 0


def test_a_limit_that_shrinks_is_kept_from_then_on(serve: Serve, connect: Connect) -> None:
    too_many: list[int] = []

    def shrink(link: Link, _: PeerRequest) -> None:
        if len(peer.requests) == 30:
            link.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 2})
        if link.settings_acknowledged >= 2 and len(link.open) > 2:
            too_many.append(len(link.open))
        if len(link.open) >= 2:
            answer_all(link)

    peer = serve(settings=streams(10), on_request=shrink, on_idle=answer_all)
    assert crowd(connect(peer), range(200), threads=40).statuses() == {200}
    assert peer.links[0].settings_acknowledged == 2
    assert too_many == []
    assert len(peer.requests) == 200


def test_a_request_that_finds_no_free_stream_before_its_deadline_was_not_processed(
    serve: Serve, connect: Connect
) -> None:
    peer = serve(settings=streams(1), on_request=ignore)
    pool = connect(peer)
    first = crowd(pool, range(1), threads=1, seconds=0.5)
    until(lambda: peer.requests)
    with pytest.raises(NotProcessed, match="no stream was free"):
        send(pool, 1, seconds=0.1)
    assert first.statuses() == {OutcomeUnknown}
    assert pool.stats.connections_opened == 1
    assert len(peer.requests) == 1


def test_a_deadline_that_passed_opens_no_connection(serve: Serve, connect: Connect) -> None:
    pool = connect(serve())
    with pytest.raises(NotProcessed):
        pool.send(request(), Deadline.after(-1))
    assert pool.stats.connections_opened == 0


def test_a_closed_window_delays_a_body_and_does_not_fail_it(serve: Serve, connect: Connect) -> None:
    peer = serve(settings={SettingCodes.INITIAL_WINDOW_SIZE: 0, **streams(100)})
    pool = connect(peer)
    waiting = crowd(pool, range(5), threads=5, size=600)
    until(lambda: len(peer.links) == 1 and len(peer.links[0].open) == 5)
    assert peer.requests == []
    link = peer.links[0]
    link.post(lambda: link.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000}))
    link.post(link.flush)
    assert waiting.statuses() == {200}


def test_more_bodies_than_the_connections_window_holds_arrive_nevertheless(serve: Serve, connect: Connect) -> None:
    peer = serve(settings={SettingCodes.INITIAL_WINDOW_SIZE: 2**20, **streams(100)}, on_request=ignore)
    sent = crowd(connect(peer), range(60), threads=60, size=5000)
    until(lambda: len(peer.requests) == 60)
    link = peer.links[0]
    link.post(lambda: answer_all(link))
    assert sent.statuses() == {200}


def test_a_window_that_never_opens_holds_nobody_beyond_the_deadline(serve: Serve, connect: Connect) -> None:
    peer = serve(settings={SettingCodes.INITIAL_WINDOW_SIZE: 0, **streams(1)})
    pool = connect(peer)
    with pytest.raises(OutcomeUnknown):
        send(pool, seconds=0.2)
    link = peer.links[0]
    until(lambda: link.resets == [(1, ErrorCodes.CANCEL)])
    link.post(lambda: link.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000}))
    link.post(link.flush)
    assert send(pool, 1).status == 200
    assert pool.stats.connections_opened == 1


def test_a_refused_stream_is_sent_again_on_another_connection(serve: Serve, connect: Connect) -> None:
    def refuse_first(link: Link, pending: PeerRequest) -> None:
        (refuse if link.number == 0 else answer)(link, pending)

    peer = serve(on_request=refuse_first)
    pool = connect(peer)
    assert crowd(pool, range(20), threads=20).statuses() == {200}
    assert pool.stats.connections_opened == 2
    answered = Counter(pending.headers["apns-id"] for pending in peer.requests if pending.link == 1)
    assert answered == Counter(str(number) for number in range(20))
    assert 0 < pool.stats.resent <= 20


def test_a_stream_that_is_always_refused_is_sent_three_times(serve: Serve, connect: Connect) -> None:
    peer = serve(on_request=refuse)
    pool = connect(peer)
    with pytest.raises(NotProcessed, match="REFUSED_STREAM"):
        send(pool)
    assert [pending.link for pending in peer.requests] == [0, 1, 2]
    assert pool.stats.resent == 2


def test_another_reset_leaves_the_outcome_unknown_and_is_not_repeated(serve: Serve, connect: Connect) -> None:
    def reset_first(link: Link, pending: PeerRequest) -> None:
        if len(peer.requests) == 1:
            link.reset(pending.stream_id, ErrorCodes.INTERNAL_ERROR)
        else:
            answer(link, pending)

    peer = serve(on_request=reset_first)
    pool = connect(peer)
    with pytest.raises(OutcomeUnknown, match="INTERNAL_ERROR"):
        send(pool)
    assert len(peer.requests) == 1
    assert send(pool, 1).status == 200
    assert pool.stats.connections_opened == 1


def test_an_answer_that_is_too_long_costs_its_request_only(serve: Serve, connect: Connect) -> None:
    def answer_first_at_length(link: Link, pending: PeerRequest) -> None:
        if pending.stream_id > 1:
            return answer(link, pending)
        link.h2.send_headers(pending.stream_id, [(":status", "200")])
        for _ in range(5):
            link.h2.send_data(pending.stream_id, bytes(16_384))
        return link.flush()

    peer = serve(on_request=answer_first_at_length)
    pool = connect(peer)
    with pytest.raises(OutcomeUnknown, match="too long"):
        send(pool)
    assert send(pool, 1).status == 200
    assert pool.stats.connections_opened == 1
