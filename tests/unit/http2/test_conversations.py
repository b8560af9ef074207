"""Conversations with h2's server side, as long and as tangled as chance makes them, end as they must."""

from dataclasses import dataclass
from functools import partial

from h2.errors import ErrorCodes
from h2.events import RequestReceived
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import NotProcessed, OutcomeUnknown
from pusher.http2.events import Answered, Event, Failed
from pusher.http2.exchange import Exchange
from pusher.http2.fields import request_fields
from pusher.http2.request import Request, Response
from tests.unit.http2.server import Server, pair

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
HEADERS = st.lists(
    st.tuples(TEXT.map(lambda text: "x-" + "".join(filter(str.isalnum, text)).lower()), TEXT), max_size=5
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens to one request."""

    path: str
    request_headers: list[tuple[str, str]]
    request_body: bytes
    informational: int
    status: int
    headers: list[tuple[str, str]]
    #: Pieces of the body and their padding; None for no padding.
    body: list[tuple[bytes, int | None]]
    trailers: list[tuple[str, str]]
    #: The server resets instead, after so many of its steps.
    reset: tuple[int, ErrorCodes] | None
    #: We give up when the server said everything, before we heard it.
    cancelled: bool


PLANS = st.builds(
    Plan,
    path=TEXT.map(lambda text: "/" + text),
    request_headers=HEADERS,
    request_body=st.binary(max_size=300),
    informational=st.integers(0, 2),
    status=st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    headers=HEADERS,
    body=st.lists(st.tuples(st.binary(max_size=300), st.one_of(st.none(), st.integers(0, 255))), max_size=4),
    trailers=st.one_of(st.just([]), HEADERS),
    reset=st.one_of(
        st.none(),
        st.none(),
        st.tuples(st.integers(0, 3), st.sampled_from([ErrorCodes.REFUSED_STREAM, ErrorCodes.INTERNAL_ERROR])),
    ),
    cancelled=st.sampled_from([False, False, False, True]),
)


class Script:
    """What the server does for one request, a step at a time."""

    def __init__(self, server: Server, stream_id: int, plan: Plan) -> None:
        self._h2 = server.h2
        self.stream_id = stream_id
        self.plan = plan
        head = [(":status", str(plan.status)), *plan.headers]
        self.steps = [partial(self._headers, [(":status", "103"), ("link", "x")])] * plan.informational
        self.steps.append(partial(self._headers, head, ends=not plan.body and not plan.trailers))
        for number, (data, padding) in enumerate(plan.body, 1):
            ends = number == len(plan.body) and not plan.trailers
            self.steps.append(partial(self._h2.send_data, stream_id, data, end_stream=ends, pad_length=padding))
        if plan.trailers:
            self.steps.append(partial(self._headers, plan.trailers, ends=True))
        self.was_reset = plan.reset is not None and plan.reset[0] < len(self.steps)
        if plan.reset is not None and self.was_reset:
            at, code = plan.reset
            self.steps[at:] = [partial(self._h2.reset_stream, stream_id, code)]

    def _headers(self, fields: list[tuple[str, str]], *, ends: bool = False) -> None:
        self._h2.send_headers(self.stream_id, fields, end_stream=ends)

    def expected(self) -> object:
        if self.was_reset and self.plan.reset is not None:
            return NotProcessed if self.plan.reset[1] == ErrorCodes.REFUSED_STREAM else OutcomeUnknown
        body = b"".join(data for data, _ in self.plan.body)
        return Response(status=self.plan.status, headers=tuple(self.plan.headers), body=body)


def results(events: list[Event]) -> dict[int, object]:
    found: dict[int, object] = {}
    for event in events:
        assert isinstance(event, Answered | Failed)
        assert event.stream_id not in found
        found[event.stream_id] = event.response if isinstance(event, Answered) else type(event.error)
    return found


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(st.lists(PLANS, min_size=1, max_size=5), max_size=3))
def test_each_request_gets_what_the_server_did_with_it(data: st.DataObject, rounds: list[list[Plan]]) -> None:
    exchange, server = pair()
    for plans in rounds:
        server.h2.update_settings(
            {
                SettingCodes.HEADER_TABLE_SIZE: data.draw(st.sampled_from([0, 100, 4096, 8192])),
                SettingCodes.INITIAL_WINDOW_SIZE: data.draw(st.sampled_from([0, 10, 65_535])),
            }
        )
        server.talk(exchange)
        plan_of = {open_for(exchange, plan): plan for plan in plans}
        server.talk(exchange)
        check_requests(server, plan_of)
        play(data, exchange, server, [Script(server, stream_id, plan) for stream_id, plan in plan_of.items()])
    assert len(exchange._streams) == 0


def open_for(exchange: Exchange, plan: Plan) -> int:
    request = Request(path=plan.path, headers=tuple(plan.request_headers), body=plan.request_body)
    return exchange.open(request_fields("host", request), plan.request_body)


def check_requests(server: Server, plans: dict[int, Plan]) -> None:
    seen = {event.stream_id: event.headers for event in server.events if isinstance(event, RequestReceived)}
    for stream_id, plan in plans.items():
        assert seen[stream_id][3] == (":path", plan.path)
        assert list(seen[stream_id][6:]) == plan.request_headers


def play(data: st.DataObject, exchange: Exchange, server: Server, scripts: list[Script]) -> None:
    """Let the server take its steps in some order, and carry its bytes over in pieces; check the results."""
    left = {script.stream_id: list(script.steps) for script in scripts}
    while left:
        stream_id = data.draw(st.sampled_from(sorted(left)))
        left[stream_id].pop(0)()
        if not left[stream_id]:
            del left[stream_id]
    for script in scripts:
        if script.plan.cancelled:
            exchange.cancel(script.stream_id)
    said = server.h2.data_to_send()
    step = data.draw(st.sampled_from([1, 10, 100, 1 << 20]))
    events = [event for at in range(0, len(said), step) for event in exchange.receive(said[at : at + step])]
    assert results(events) == {script.stream_id: script.expected() for script in scripts if not script.plan.cancelled}
    server.talk(exchange)
