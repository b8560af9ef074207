"""Carries out what a request meets: the vendor's answer, or a behaviour of the script in its place."""

from typing import Protocol

from cryptography import x509

from pusher.simulators import misbehaviour as be
from pusher.simulators.ledger import ReceivedRequest
from pusher.simulators.server_connection import ServerConnection


class Vendor(Protocol):
    """Who knows the right answers."""

    #: MAX_CONCURRENT_STREAMS of a connection that has seen a success.
    stream_limit: int

    def handle(self, request: ReceivedRequest, certificate: x509.Certificate | None) -> be.Answer:
        """Do what the vendor does with the request and return the complete answer."""

    def complete(self, request: ReceivedRequest, answer: be.Answer) -> be.Answer:
        """Return a scripted answer with the headers and the body that the vendor would send."""


def act(vendor: Vendor, request: ReceivedRequest, behaviour: be.Behaviour | None, connection: ServerConnection) -> None:
    """Answer `request` on `connection`, or fail to, as `behaviour` has it; its delay is over."""
    match behaviour:
        case be.Instead():
            if behaviour.accept:
                vendor.handle(request, connection.certificate)
            _misbehave(vendor, request, behaviour, connection)
        case be.GoAway(processed=processed):
            connection.go_away(behaviour, request.stream_id if processed else max(0, request.stream_id - 2))
            if processed:
                _answer(vendor, request, connection)
        case be.LimitStreams(limit=limit):
            _answer(vendor, request, connection)
            connection.limit_streams(limit)
        case _:
            _answer(vendor, request, connection)


def _answer(vendor: Vendor, request: ReceivedRequest, connection: ServerConnection) -> None:
    answer = vendor.handle(request, connection.certificate)
    if answer.status == 200:
        connection.succeeded(vendor.stream_limit)
    connection.answer(request, answer)


def _misbehave(vendor: Vendor, request: ReceivedRequest, behaviour: be.Instead, connection: ServerConnection) -> None:
    match behaviour:
        case be.Answer():
            connection.answer(request, vendor.complete(request, behaviour))
        case be.Reset(error_code=error_code):
            connection.reset(request.stream_id, error_code)
        case be.Disconnect():
            connection.disconnect()
        case be.HalfClose():
            connection.half_close()
        case be.Garbage(data=data):
            connection.send_raw(data)
        case _:
            # Silent: the stream stays open and counts against the limit.
            pass
