"""Whatever bytes come: nothing but a TransportError is raised, and each request gets one result at most."""

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from struct import pack

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import TransportError
from pusher.http2.events import Event, GoneAway
from pusher.http2.exchange import Exchange
from tests.unit.http2.server import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Server,
    goaway,
    pair,
    parsed,
    raw,
    send,
)

FRAMES = st.builds(
    raw,
    st.integers(0, 12),
    st.sampled_from([0, 1, 4, 5, 8, 9, 12, 13, 32, 37, 45, 255]),
    st.sampled_from([0, 1, 3, 5, 7, 2, 4, 2**31 - 1, 2**31]),
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"\x88", b"\x08\x03200", b"\0\0\0\0", b"\0\0\0\1", b"\x7f\xff\xff\xff", bytes(8)]),
        st.sampled_from([b"\0\4\xff\xff\xff\xff", b"\0\3\0\0\0\0", b"\0\5\0\0\0\0", b"\0\1\xff\xff\xff\xff"]),
        st.sampled_from(
            [b"\x08\x03200\x0f\x0d\x01\xb2", b"\x88\x0f\x0d\x0299", b"\x88\0\x01\xff\x01\xff", b"\x88" * 50]
        ),
        st.sampled_from([b"\x08\x03100", b"\x82\x88", b"\x88\0\1x\1y", b"\x20\x88", b"\x3f\xff\xff\xff\xff\xff"]),
    ),
)


def waiting() -> tuple[Exchange, Server, list[int]]:
    """Return an exchange that waits for five answers, the third body unsent, and its server."""
    exchange, server = pair(initial_window_size=100)
    opened = [send(exchange, bytes(size)) for size in (2, 0, 300, 2, 2)]
    server.talk(exchange)
    return exchange, server, opened


def sound_bytes() -> bytes:
    """Return what a server may well send to that exchange, all kinds of frames among it."""
    _, server, (first, second, third, fourth, fifth) = waiting()
    server.h2.send_headers(first, [(":status", "100")])
    server.h2.send_headers(first, [(":status", "200"), ("content-length", "300"), ("x", "y" * 300)])
    server.h2.send_data(first, b"z" * 200, pad_length=3)
    server.h2.ping(b"12345678")
    server.h2.update_settings({1: 200, 4: 150})
    server.h2.send_data(first, b"z" * 100, end_stream=True)
    server.respond(second, "410", b'{"reason":"Unregistered"}')
    server.h2.increment_flow_control_window(100, third)
    server.h2.increment_flow_control_window(1000)
    server.h2.reset_stream(fourth, ErrorCodes.REFUSED_STREAM)
    data = server.h2.data_to_send()
    block = b"\x88\0\1x\x02yy\0\1z\x02yy"
    data += raw(HEADERS, END_STREAM | PADDED, third, b"\x07" + block[:5] + bytes(7))
    data += raw(CONTINUATION, 0, third, block[5:8]) + raw(CONTINUATION, END_HEADERS, third, block[8:])
    data += goaway(fifth, b'{"reason":"Shutdown"}')
    server.h2.send_headers(fifth, [(":status", "200"), ("x", "y" * 300)])
    server.h2.send_headers(fifth, [("x-trailer", "1")], end_stream=True)
    return data + server.h2.data_to_send()


SOUND = sound_bytes()
#: Where to cut out a piece, how long it is, and what to put there.
MUTATIONS = st.tuples(
    st.integers(0, len(SOUND)),
    st.sampled_from([0, 1, 1, 1, 2, 4, 9, 20, 200]),
    st.one_of(st.binary(max_size=9), FRAMES, st.integers(0, 255).map(lambda byte: bytes([byte]))),
)


def survives(data: bytes, *, cancelled: int = -1, step: int = 1 << 20) -> tuple[list[Event], str, bytes]:
    """Return the events that `data` means, the error it ends with and what is sent; check what must always hold."""
    exchange, _, opened = waiting()
    if cancelled >= 0:
        exchange.cancel(opened[cancelled])
    exchange.take_output()
    events: list[Event] = []
    problem = ""
    try:
        for at in range(0, len(data), step):
            events.extend(exchange.receive(data[at : at + step]))
    except TransportError as error:
        problem = str(error)
    assert problem.isprintable()
    assert len(problem) < 200
    settled = [event.stream_id for event in events if not isinstance(event, GoneAway)]
    assert len(settled) == len(set(settled)), "a request is settled once"
    assert set(settled) <= set(opened)
    output = exchange.take_output()
    said = parsed(output)
    assert sum(isinstance(frame, GoAwayFrame) for frame in said) == bool(problem)
    assert not problem or isinstance(said[-1], GoAwayFrame)
    for stream_id in opened:
        exchange.cancel(stream_id)
    exchange.ping()
    exchange.say_goodbye()
    parsed(exchange.take_output())
    return events, problem, output


#: What a server may send again and again, to an exchange that waits for answers on streams 1 to 9.
FLOODS = {
    "SETTINGS": lambda _: raw(SETTINGS, 0, 0, b"\0\4\0\1\0\0"),
    "SETTINGS that nobody knows": lambda number: raw(SETTINGS, 0, 0, pack(">HL", 16 + number % 60_000, number)),
    "windows that open and close": lambda number: raw(SETTINGS, 0, 0, pack(">HL", 4, number % 2)),
    "header tables": lambda number: raw(SETTINGS, 0, 0, pack(">HL", 1, number % 9000)),
    "PING": lambda _: raw(PING, 0, 0, bytes(8)),
    "WINDOW_UPDATE": lambda _: raw(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
    "WINDOW_UPDATE of a stream": lambda _: raw(WINDOW_UPDATE, 0, 5, b"\0\0\0\1"),
    "PRIORITY": lambda number: raw(PRIORITY, 0, 2 * number + 1, b"\0\0\0\1\1"),
    "empty DATA": lambda _: raw(DATA, 0, 1),
    "DATA": lambda _: raw(DATA, 0, 1, bytes(16_000)),
    "DATA of a request that is done": lambda _: raw(DATA, 0, 9, bytes(16_000)),
    "padding": lambda _: raw(DATA, PADDED, 1, b"\xff" + bytes(255)),
    "CONTINUATION": lambda number: raw(CONTINUATION, 0, 3, b"x") if number else raw(HEADERS, 0, 3, b"\x88"),
    "empty CONTINUATION": lambda number: raw(CONTINUATION, 0, 3) if number else raw(HEADERS, 0, 3),
    "1xx": lambda _: raw(HEADERS, END_HEADERS, 3, b"\x08\x03103\0\1x\1y"),
    "headers of a request that is done": lambda number: raw(
        HEADERS, END_HEADERS, 9, b"\x40\x03%03d\1y" % (number % 999)
    ),
    "RST_STREAM": lambda _: raw(RST_STREAM, 0, 9, bytes(4)),
    "GOAWAY": lambda _: goaway(9, b"x" * 1000),
    "frames of tomorrow": lambda number: raw(11 + number % 200, 0, number, bytes(100)),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_peer_that_sends_without_end_fills_no_memory(flood: Callable[[int], bytes]) -> None:
    exchange, _, opened = waiting()
    # Headers before the floods of DATA, and one request that was given up.
    list(exchange.receive(raw(HEADERS, END_HEADERS, 1, b"\x88")))
    exchange.cancel(opened[4])
    tracemalloc.start()
    try:
        with suppress(TransportError):
            for number in range(1500):
                list(exchange.receive(flood(number)))
                # It reads what we answer.
                exchange.take_output()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 600_000


def test_the_sound_bytes_are_sound() -> None:
    events, problem, _ = survives(SOUND)
    assert problem == ""
    assert [type(event).__name__ for event in events] == [
        "Answered", "Answered", "Failed", "Answered", "GoneAway", "Answered",
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(FRAMES, max_size=12).map(b"".join)), st.integers(-1, 4))
def test_hostile_bytes_raise_nothing_but_a_transport_error(data: bytes, cancelled: int) -> None:
    survives(data, cancelled=cancelled)


@settings(max_examples=250, deadline=None)
@given(st.lists(MUTATIONS, min_size=1, max_size=4), st.integers(-1, 4))
def test_spoilt_bytes_raise_nothing_but_a_transport_error(
    mutations: list[tuple[int, int, bytes]], cancelled: int
) -> None:
    data = SOUND
    for at, length, instead in mutations:
        data = data[:at] + instead + data[at + length :]
    survives(data, cancelled=cancelled)


@settings(max_examples=60, deadline=None)
@given(MUTATIONS, st.sampled_from([1, 2, 7, 50]))
def test_spoilt_bytes_mean_the_same_wherever_they_are_cut(mutation: tuple[int, int, bytes], step: int) -> None:
    at, length, instead = mutation
    data = SOUND[:at] + instead + SOUND[at + length :]
    whole, pieces = survives(data), survives(data, step=step)
    assert [repr(event) for event in pieces[0]] == [repr(event) for event in whole[0]]
    assert pieces[1:] == whole[1:]


@pytest.mark.parametrize("at", range(0, len(SOUND), 37))
def test_bytes_that_end_early_raise_nothing(at: int) -> None:
    _, problem, _ = survives(SOUND[:at])
    assert problem == ""
