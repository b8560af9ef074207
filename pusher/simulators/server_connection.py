"""One HTTP/2 connection on the server's side: bytes to requests, rules held, answers or worse sent.

Lives in the event loop's thread. It notes what the client does wrong; `acting.py` decides what to send.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

from cryptography import x509
from h2 import events
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from pusher.simulators.ledger import Ledger, ReceivedRequest
from pusher.simulators.misbehaviour import REFUSE, Answer, GoAway
from pusher.simulators.server_h2 import ServerH2
from pusher.simulators.stream_rules import Fate, StreamRules

_AFTER_GOAWAY = b"goneaway"


class Service(Protocol):
    """What a connection needs from its server."""

    ledger: Ledger
    #: Bytes a client may send on a stream before it waits for WINDOW_UPDATE.
    stream_window: int
    #: Whether WINDOW_UPDATE is kept back.
    windows_held: bool

    def now(self) -> float:
        """Return epoch seconds."""

    def first_stream_limit(self, certificate: x509.Certificate | None) -> int:
        """Return MAX_CONCURRENT_STREAMS for a new connection."""

    def connected(self, connection: "ServerConnection") -> None:
        """Note that the connection is there."""

    def disconnected(self, connection: "ServerConnection") -> None:
        """Note that the connection is gone."""

    def received(self, request: ReceivedRequest, connection: "ServerConnection") -> None:
        """Act on a complete request, now or later."""


@dataclass(slots=True)
class _Incoming:
    event: events.RequestReceived
    body: bytearray = field(default_factory=bytearray)


class ServerConnection(asyncio.Protocol):
    """A connection from its handshake to its end. Who calls a sending method flushes."""

    def __init__(self, service: Service) -> None:
        self._service, self._ledger = service, service.ledger
        self._h2 = ServerH2()
        self._open: dict[int, _Incoming] = {}
        self._withheld: list[tuple[int, int]] = []
        self._trusted = self._closes_when_done = self._half_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        tls = transport.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True)
        #: The client's verified certificate.
        self.certificate = None if der is None else x509.load_der_x509_certificate(der)
        subject = None if self.certificate is None else self.certificate.subject.rfc4514_string()
        self._id = self._ledger.connection_opened(self._service.now(), subject)
        self._service.connected(self)
        if tls.selected_alpn_protocol() != "h2":
            self._ledger.violated(self._id, 0, "no ALPN h2")
            self._transport.abort()
            return
        limit = self._service.first_stream_limit(self.certificate)
        self._rules = StreamRules(limit)
        self._h2.start(stream_limit=limit, stream_window=self._service.stream_window)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.clear()
        self._ledger.connection_closed(self._id, self._service.now())
        self._service.disconnected(self)

    def data_received(self, data: bytes) -> None:
        try:
            received = self._h2.receive_data(data)
        except ProtocolError as error:
            self._fail(f"protocol error: {type(error).__name__}: {error}")
            return
        # Once the client has said goodbye, h2 sends nothing more, not even to streams of this very batch.
        if any(isinstance(event, events.ConnectionTerminated) for event in received):
            self._end()
            return
        # A stream that is reset in this very batch cannot be answered: h2 knows it no more.
        reset = {event.stream_id for event in received if isinstance(event, events.StreamReset)}
        for event in received:
            if not self._transport.is_closing():
                self._take(event, reset)
        self.flush()

    def flush(self) -> None:
        """Send what h2 has ready, then close where GOAWAY's promises are kept."""
        if (data := self._h2.data_to_send()) and not self._half_closed:
            self._transport.write(data)
        # Once only: closed twice, the TLS transport of Python 3.11 loses its connection and cannot be aborted.
        if self._closes_when_done and not self._open and not self.is_closing():
            self._transport.close()

    def is_closing(self) -> bool:
        """Tell whether nothing more can be sent."""
        return self._transport.is_closing()

    def awaits(self, request: ReceivedRequest) -> bool:
        """Tell whether the client still waits for an answer to `request`, and has not been told to stop."""
        return request.stream_id in self._open

    def answer(self, request: ReceivedRequest, answer: Answer) -> None:
        """Send a complete answer, as far as the client's windows let it pass."""
        body = b"" if answer.body is None else answer.body
        headers = [(":status", str(answer.status)), *answer.headers]
        self._h2.send_headers(request.stream_id, headers, end_stream=not body)
        self._ledger.request_answered(request, answer)
        if self._h2.send_body(request.stream_id, body):
            self._forget(request.stream_id)

    def reset(self, stream_id: int, error_code: int) -> None:
        """Send RST_STREAM."""
        self._h2.reset_stream(stream_id, error_code)
        self._forget(stream_id)

    def limit_streams(self, limit: int) -> None:
        """Announce a new MAX_CONCURRENT_STREAMS and hold the client to it."""
        if self._rules.announce(limit):
            self._h2.limit_streams(limit)

    def succeeded(self, limit: int) -> None:
        """Announce `limit` if this is the connection's first success."""
        if not self._trusted:
            self._trusted = True
            self.limit_streams(limit)

    def release_windows(self) -> None:
        """Hand back the flow-control credit that was kept back."""
        withheld, self._withheld = self._withheld, []
        for size, stream_id in withheld:
            self._h2.acknowledge_received_data(size, stream_id)

    def go_away(self, behaviour: GoAway, last_stream_id: int | None = None) -> None:
        """Send GOAWAY, by default with the highest stream so far, and drop the streams above the last."""
        self.flush()
        # h2 is not told: it would take the connection for closed and refuse to send the promised answers.
        self._transport.write(self._rules.go_away(behaviour, last_stream_id))
        # The answer to this PING proves that the client has read the GOAWAY.
        self._h2.ping(_AFTER_GOAWAY)
        self._closes_when_done = behaviour.closes
        for stream_id in list(filter(self._rules.is_dropped, self._open)):
            self._forget(stream_id)

    def send_raw(self, data: bytes) -> None:
        """Send bytes that h2 did not make."""
        self._transport.write(data)

    def half_close(self) -> None:
        """End our half of the TCP connection, without TLS' goodbye."""
        self.flush()
        self._half_closed = True
        self._transport.get_extra_info("socket").shutdown(socket.SHUT_WR)

    def disconnect(self) -> None:
        """Reset the TCP connection."""
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def abort(self) -> None:
        """Close the TCP connection without a word."""
        self._transport.abort()

    def _take(self, event: events.Event, reset: set[int]) -> None:
        match event:
            case events.RequestReceived():
                self._judge(event)
            case events.DataReceived():
                self._add_data(event)
            case events.StreamEnded() if event.stream_id in self._open:
                request = self._request(self._open[event.stream_id])
                if event.stream_id in reset:
                    self._forget(event.stream_id)
                self._service.received(request, self)
            case events.StreamReset():
                self._forget(event.stream_id)
            case events.WindowUpdated():
                for stream_id in self._h2.send_unsent():
                    self._forget(stream_id)
            case events.PriorityUpdated():
                self._h2.close_connection(ErrorCodes.PROTOCOL_ERROR)
                self._fail("PRIORITY frame")
            case events.PingAckReceived() if event.ping_data == _AFTER_GOAWAY:
                self._rules.goaway_read()
            case events.SettingsAcknowledged():
                changed = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
                if changed is not None:
                    self._rules.acknowledged(changed.new_value)

    def _judge(self, event: events.RequestReceived) -> None:
        concurrent = len(self._open) + 1
        self._ledger.stream_opened(self._id, concurrent)
        verdict = self._rules.judge(event.stream_id, concurrent)
        incoming = _Incoming(event)
        if verdict.violation is not None:
            self._ledger.violated(self._id, event.stream_id, verdict.violation)
        match verdict.fate:
            case Fate.TAKEN:
                self._open[event.stream_id] = incoming
            case Fate.REFUSED:
                self._ledger.request_received(replace(self._request(incoming), behaviour=REFUSE))
                self.reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            case Fate.IGNORED:
                self._ledger.request_received(self._request(incoming))

    def _add_data(self, event: events.DataReceived) -> None:
        size = event.flow_controlled_length
        if self._service.windows_held:
            self._withheld.append((size, event.stream_id))
        else:
            self._h2.acknowledge_received_data(size, event.stream_id)
        if event.stream_id in self._open:
            self._open[event.stream_id].body += event.data

    def _request(self, incoming: _Incoming) -> ReceivedRequest:
        return ReceivedRequest.of(self._id, incoming.event, bytes(incoming.body), self._service.now())

    def _forget(self, stream_id: int) -> None:
        self._open.pop(stream_id, None)
        self._h2.drop_unsent(stream_id)

    def _fail(self, problem: str) -> None:
        self._ledger.violated(self._id, 0, problem)
        self._end()

    def _end(self) -> None:
        self._open.clear()
        self._closes_when_done = True
        self.flush()
