"""HTTP/2 without sockets: our client side against h2's server side, in memory."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from h2.errors import ErrorCodes
from h2.events import DataReceived, PingReceived, RequestReceived, StreamReset
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import NotProcessed, OutcomeUnknown, TransportError
from pusher.http2 import exchange as exchange_module
from pusher.http2.events import Answered, Event, Failed, GoneAway
from pusher.http2.exchange import Exchange
from pusher.http2.request import Response
from tests.unit.http2.server import Server, goaway, only_failure, pair, send


def test_nothing_is_opened_before_the_peers_settings() -> None:
    exchange = Exchange()
    assert not exchange.ready
    assert not exchange.can_open
    Server(max_concurrent_streams=1).talk(exchange)
    assert exchange.ready
    assert exchange.can_open


def test_a_request_is_answered() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    assert server.bodies[stream_id] == b"{}"
    server.respond(stream_id, "410", b'{"reason":"Unregistered"}')
    assert server.talk(exchange) == [
        Answered(
            stream_id=stream_id,
            response=Response(status=410, headers=(("apns-id", "7"),), body=b'{"reason":"Unregistered"}'),
        )
    ]


def test_a_request_without_a_body_ends_with_its_headers() -> None:
    exchange, server = pair()
    stream_id = send(exchange, b"")
    server.talk(exchange)
    request = server.saw(RequestReceived)[0]
    assert isinstance(request, RequestReceived)
    assert request.stream_ended
    server.respond(stream_id)
    assert isinstance(server.talk(exchange)[0], Answered)


def test_push_is_disabled() -> None:
    _, server = pair()
    assert server.h2.remote_settings.enable_push == 0


def test_informational_responses_are_passed_over_and_trailers_are_fine() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    server.h2.send_headers(stream_id, [(":status", "103"), ("link", "x")])
    server.h2.send_headers(stream_id, [(":status", "200")])
    server.h2.send_data(stream_id, b"ok")
    server.h2.send_headers(stream_id, [("grpc-status", "0")], end_stream=True)
    (answered,) = server.talk(exchange)
    assert answered == Answered(stream_id=stream_id, response=Response(status=200, body=b"ok"))


def test_a_header_that_is_no_utf8_costs_nothing() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    server.h2.send_headers(stream_id, [(b":status", b"200"), (b"x", b"\xff")], end_stream=True)
    (answered,) = server.talk(exchange)
    assert isinstance(answered, Answered)
    assert answered.response.header("x") == "\ufffd"


def test_the_stream_limit_is_kept_and_follows_the_peer() -> None:
    exchange, server = pair(max_concurrent_streams=3)
    first = send(exchange)
    assert exchange.can_open
    send(exchange)
    send(exchange)
    assert not exchange.can_open
    server.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 2})
    server.talk(exchange)
    server.respond(first)
    server.talk(exchange)
    assert not exchange.can_open, "two are open and two is the limit now"
    server.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    server.talk(exchange)
    assert exchange.can_open


def test_a_limit_of_zero_opens_nothing() -> None:
    exchange, _ = pair(max_concurrent_streams=0)
    assert exchange.ready
    assert not exchange.can_open


def test_a_body_waits_for_the_streams_window() -> None:
    exchange, server = pair(initial_window_size=0)
    stream_id = send(exchange, b"0123456789")
    server.talk(exchange)
    assert stream_id not in server.bodies
    server.h2.increment_flow_control_window(4, stream_id)
    server.talk(exchange)
    assert server.bodies[stream_id] == b"0123"
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
    server.talk(exchange)
    assert server.bodies[stream_id] == b"0123456789"


def test_bodies_wait_for_the_connections_window_in_turn() -> None:
    exchange, server = pair(initial_window_size=2**20)
    size = 40_000
    first, second, third = (send(exchange, bytes(size)) for _ in range(3))
    server.talk(exchange)
    assert len(server.bodies[first]) == size
    assert len(server.bodies[second]) == 65_535 - size
    assert third not in server.bodies
    server.h2.increment_flow_control_window(2 * size)
    server.talk(exchange)
    assert {stream: len(body) for stream, body in server.bodies.items()} == dict.fromkeys((first, second, third), size)


def test_a_stream_whose_window_is_closed_does_not_hold_up_the_others() -> None:
    exchange, server = pair(initial_window_size=10)
    stuck = send(exchange, bytes(11))
    free = send(exchange, bytes(11))
    server.talk(exchange)
    server.h2.increment_flow_control_window(1, free)
    server.talk(exchange)
    assert (len(server.bodies[stuck]), len(server.bodies[free])) == (10, 11)


def test_a_long_body_is_cut_into_frames() -> None:
    exchange, server = pair(initial_window_size=2**20)
    stream_id = send(exchange, bytes(50_000))
    server.talk(exchange)
    assert len(server.bodies[stream_id]) == 50_000
    assert len(server.saw(DataReceived)) == 4


def test_an_answer_before_the_body_was_sent_counts_and_frees_the_stream() -> None:
    exchange, server = pair(initial_window_size=0, max_concurrent_streams=1)
    stream_id = send(exchange)
    server.talk(exchange)
    server.respond(stream_id, "413")
    server.h2.reset_stream(stream_id, ErrorCodes.NO_ERROR)
    (answered,) = server.talk(exchange)
    assert isinstance(answered, Answered)
    assert answered.response.status == 413
    assert exchange.can_open


def test_an_early_answer_without_a_reset_makes_us_reset() -> None:
    exchange, server = pair(initial_window_size=0)
    stream_id = send(exchange)
    server.talk(exchange)
    server.respond(stream_id, "413")
    server.talk(exchange)
    assert [event.stream_id for event in server.saw(StreamReset) if isinstance(event, StreamReset)] == [stream_id]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ErrorCodes.REFUSED_STREAM, NotProcessed),
        (ErrorCodes.INTERNAL_ERROR, OutcomeUnknown),
        (ErrorCodes.CANCEL, OutcomeUnknown),
        (ErrorCodes.NO_ERROR, OutcomeUnknown),
        (0xDEAD, OutcomeUnknown),
    ],
)
def test_only_a_refused_stream_was_surely_not_processed(code: int, kind: type[TransportError]) -> None:
    exchange, server = pair(max_concurrent_streams=1)
    stream_id = send(exchange)
    server.talk(exchange)
    server.h2.reset_stream(stream_id, code)
    failed = only_failure(server.talk(exchange))
    assert failed.stream_id == stream_id
    assert type(failed.error) is kind
    assert exchange.can_open


def test_a_window_beyond_its_maximum_fails_the_stream_only() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    overflow = (4).to_bytes(3, "big") + b"\x08\0" + stream_id.to_bytes(4, "big") + (2**31 - 1).to_bytes(4, "big")
    assert type(only_failure(server.talk(exchange, extra=overflow)).error) is OutcomeUnknown
    assert exchange.can_open


def test_goaway_fails_what_is_above_it_and_lets_the_rest_be_answered() -> None:
    exchange, server = pair()
    first, second, third = (send(exchange) for _ in range(3))
    server.talk(exchange)
    events = server.talk(exchange, extra=goaway(first, b'{"reason":"Shutdown"}'))
    assert events[0] == GoneAway(reason="NO_ERROR (Shutdown)")
    failures = [event for event in events[1:] if isinstance(event, Failed)]
    assert [failed.stream_id for failed in failures] == [second, third]
    assert {type(failed.error) for failed in failures} == {NotProcessed}
    assert not exchange.accepting
    assert not exchange.can_open
    server.respond(first, body=b"late")
    (answered,) = server.talk(exchange)
    assert isinstance(answered, Answered)
    assert answered.response.body == b"late"


def test_a_second_goaway_may_lower_the_last_stream() -> None:
    exchange, server = pair()
    first, second = (send(exchange) for _ in range(2))
    server.talk(exchange)
    assert server.talk(exchange, extra=goaway(2**31 - 1)) == [GoneAway(reason="NO_ERROR")]
    (_, failed) = server.talk(exchange, extra=goaway(first))
    assert isinstance(failed, Failed)
    assert failed.stream_id == second


def test_a_body_that_waits_goes_on_after_goaway() -> None:
    exchange, server = pair(initial_window_size=0)
    stream_id = send(exchange)
    server.talk(exchange, extra=goaway(stream_id))
    server.h2.increment_flow_control_window(2, stream_id)
    server.talk(exchange)
    assert server.bodies[stream_id] == b"{}"


def test_an_answer_to_a_stream_above_goaway_is_passed_over() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    server.talk(exchange, extra=goaway(0))
    server.respond(stream_id, body=b"x")
    assert server.talk(exchange) == []


def test_a_cancelled_request_is_reset_and_its_late_answer_passed_over() -> None:
    exchange, server = pair(max_concurrent_streams=1)
    stream_id = send(exchange)
    server.talk(exchange)
    server.respond(stream_id, body=b"late")
    exchange.cancel(stream_id)
    assert exchange.can_open
    assert server.talk(exchange) == []
    second = send(exchange)
    server.talk(exchange)
    server.respond(second)
    assert isinstance(server.talk(exchange)[0], Answered)


def test_a_ping_is_answered_and_ours_is_sent() -> None:
    exchange, server = pair()
    exchange.ping()
    server.h2.ping(b"12345678")
    assert server.talk(exchange) == []
    assert server.saw(PingReceived)
    assert [type(event).__name__ for event in server.events].count("PingAckReceived") == 1


def test_a_response_of_the_greatest_size_needs_no_more_window() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    server.h2.send_headers(stream_id, [(":status", "200")])
    for _ in range(4):
        server.h2.send_data(stream_id, bytes(16_384))
    server.h2.end_stream(stream_id)
    (answered,) = server.talk(exchange)
    assert isinstance(answered, Answered)
    assert len(answered.response.body) == 65_536


@pytest.mark.parametrize("ends", [False, True])
def test_a_body_without_end_costs_the_stream_and_not_the_connection(ends: bool) -> None:
    exchange, server = pair(max_concurrent_streams=1)
    stream_id = send(exchange)
    server.talk(exchange)
    server.h2.send_headers(stream_id, [(":status", "200")])
    for _ in range(4):
        server.h2.send_data(stream_id, bytes(16_384))
    server.h2.send_data(stream_id, b"x", end_stream=ends)
    assert type(only_failure(server.talk(exchange)).error) is OutcomeUnknown
    assert bool(server.saw(StreamReset)) is not ends
    stream_id = send(exchange)
    server.talk(exchange)
    server.respond(stream_id)
    assert isinstance(server.talk(exchange)[0], Answered)


@pytest.mark.parametrize("header_bytes", [0, 17_000])
def test_a_response_that_is_too_long_and_ends_before_our_body_does_resets_the_stream(header_bytes: int) -> None:
    exchange, server = pair(initial_window_size=0)
    stream_id = send(exchange)
    server.talk(exchange)
    server.h2.send_headers(stream_id, [(":status", "200"), ("x", "y" * header_bytes)], end_stream=header_bytes > 0)
    if not header_bytes:
        for _ in range(4):
            server.h2.send_data(stream_id, bytes(16_384))
        server.h2.send_data(stream_id, b"x", end_stream=True)
    assert type(only_failure(server.talk(exchange)).error) is OutcomeUnknown
    (reset,) = server.saw(StreamReset)
    assert isinstance(reset, StreamReset)
    assert reset.stream_id == stream_id


def test_headers_without_end_cost_the_stream_and_not_the_connection() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    server.h2.send_headers(stream_id, [(":status", "200"), ("x", "y" * 17_000)])
    assert type(only_failure(server.talk(exchange)).error) is OutcomeUnknown
    stream_id = send(exchange)
    server.talk(exchange)
    server.respond(stream_id)
    assert isinstance(server.talk(exchange)[0], Answered)


def test_a_status_that_is_none_is_no_answer() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    server.respond(stream_id, "2x0")
    assert type(only_failure(server.talk(exchange)).error) is OutcomeUnknown


def test_many_responses_never_exhaust_the_connections_window() -> None:
    exchange, server = pair()
    for _ in range(400):
        stream_id = send(exchange)
        server.talk(exchange)
        server.h2.send_headers(stream_id, [(":status", "200")])
        for _ in range(4):
            server.h2.send_data(stream_id, bytes(16_000))
        server.h2.end_stream(stream_id)
        assert isinstance(server.talk(exchange)[0], Answered)


def test_closed_streams_are_forgotten() -> None:
    exchange, server = pair()
    for _ in range(500):
        stream_id = send(exchange)
        server.talk(exchange)
        server.respond(stream_id)
        server.talk(exchange)
    assert len(exchange._streams) == 0
    assert not exchange._h2.streams


def test_a_connection_whose_stream_ids_run_out_finishes_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_module, "HIGHEST_STREAM_ID", 3)
    exchange, server = pair()
    send(exchange)
    assert exchange.accepting
    last = send(exchange)
    assert not exchange.accepting
    server.talk(exchange)
    server.respond(last)
    assert isinstance(server.talk(exchange)[0], Answered)


def test_what_was_sound_is_delivered_before_the_error() -> None:
    exchange, server = pair()
    stream_id = send(exchange)
    server.talk(exchange)
    server.respond(stream_id)
    seen: list[Event] = []
    with pytest.raises(TransportError, match="HTTP/2"):
        seen.extend(exchange.receive(server.h2.data_to_send() + b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert [type(event) for event in seen] == [Answered]


def test_a_broken_exchange_takes_no_requests_and_no_harm() -> None:
    exchange, server = pair(max_concurrent_streams=5)
    stream_id = send(exchange)
    server.talk(exchange)
    with pytest.raises(TransportError):
        list(exchange.receive(b"\0\0\0\0\0\0\0\0\0"))
    assert not exchange.accepting
    assert not exchange.can_open
    exchange.cancel(stream_id)
    exchange.ping()
    exchange.say_goodbye()
    assert exchange.take_output()[3] == 7, "the GOAWAY that says why"


def conversation() -> tuple[bytes, Exchange]:
    """Return what a busy server sends in one stretch, and an exchange that waits for it with five requests."""
    exchange, server = pair()
    first, second, third, fourth, fifth = (send(exchange) for _ in range(5))
    server.talk(exchange)
    server.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 7})
    server.h2.send_headers(first, [(":status", "100")])
    server.h2.send_headers(first, [(":status", "200"), ("x", "y" * 300)], end_stream=True)
    server.respond(second, "200", b"z" * 300)
    server.h2.ping(b"12345678")
    server.h2.reset_stream(third, ErrorCodes.REFUSED_STREAM)
    data = server.h2.data_to_send() + goaway(fourth, b'{"reason":"Shutdown"}')
    server.respond(fourth, "503", b"late")
    assert fifth
    return data + server.h2.data_to_send(), exchange


def summary(events: Iterator[Event]) -> list[object]:
    return [(event.stream_id, type(event.error)) if isinstance(event, Failed) else event for event in events]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 25_000), max_size=40))
def test_bytes_cut_anywhere_mean_the_same(cuts: list[int]) -> None:
    data, whole = conversation()
    expected = summary(whole.receive(data))
    assert len(expected) == 6
    _, pieces = conversation()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    seen: list[object] = []
    for start, end in pairwise(edges):
        seen.extend(summary(pieces.receive(data[start:end])))
    assert seen == expected
    assert pieces.take_output() == whole.take_output()


def test_bytes_one_by_one_mean_the_same() -> None:
    data, whole = conversation()
    _, pieces = conversation()
    seen = [event for byte in data for event in summary(pieces.receive(bytes([byte])))]
    assert seen == summary(whole.receive(data))
