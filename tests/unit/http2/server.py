"""The other end of an exchange: h2's server side in memory, and frames that it would not send."""

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from h2.events import Event as H2Event
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame

from pusher.http2.events import Event, Failed
from pusher.http2.exchange import Exchange
from pusher.http2.fields import request_fields
from pusher.http2.request import Request

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 1, 4, 8


def send(exchange: Exchange, body: bytes = b"{}") -> int:
    """Open a request and return its stream id."""
    request = Request(path="/x", body=body, headers=(("apns-topic", "t"),))
    return exchange.open(request_fields("host", request), body)


class Server:
    """h2's server side of an exchange."""

    def __init__(self, **initial: int) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        values = {SettingCodes[name.upper()]: value for name, value in initial.items()}
        self.h2.local_settings = Settings(client=False, initial_values=values)
        self.h2.initiate_connection()
        self.events: list[H2Event] = []
        self.bodies: dict[int, bytes] = {}

    def talk(self, exchange: Exchange, *, extra: bytes = b"") -> list[Event]:
        """Carry bytes to and fro until both sides are quiet; return the client's events."""
        seen: list[Event] = []
        while True:
            to_server, to_client = exchange.take_output(), self.h2.data_to_send() + extra
            extra = b""
            if not to_server and not to_client:
                return seen
            for event in self.h2.receive_data(to_server):
                self.events.append(event)
                if isinstance(event, DataReceived):
                    self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            seen.extend(exchange.receive(to_client))

    def respond(self, stream_id: int, status: str = "200", body: bytes = b"") -> None:
        self.h2.send_headers(stream_id, [(":status", status), ("apns-id", "7")], end_stream=not body)
        if body:
            self.h2.send_data(stream_id, body, end_stream=True)

    def saw(self, kind: type[H2Event]) -> list[H2Event]:
        return [event for event in self.events if isinstance(event, kind)]


def pair(**initial: int) -> tuple[Exchange, Server]:
    exchange, server = Exchange(), Server(**initial)
    server.talk(exchange)
    return exchange, server


def goaway(last_stream_id: int, debug_data: bytes = b"") -> bytes:
    frame = GoAwayFrame(0)
    frame.last_stream_id = last_stream_id
    frame.additional_data = debug_data
    return bytes(frame.serialize())


def only_failure(events: list[Event]) -> Failed:
    assert len(events) == 1
    assert isinstance(events[0], Failed)
    return events[0]


def raw(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return a frame as it is on the wire, whatever its type allows."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload


def parsed(data: bytes) -> list[Frame]:
    """Return the frames that `data` consists of, as hyperframe reads them."""
    found = []
    while data:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + length]))
        found.append(frame)
        data = data[9 + length :]
    return found
