"""What received bytes mean for the requests of a connection."""

from dataclasses import dataclass

from pusher.errors import NotProcessed, OutcomeUnknown
from pusher.http2.request import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request has its complete response."""

    stream_id: int
    response: Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A request will have no response."""

    stream_id: int
    error: NotProcessed | OutcomeUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneAway:
    """The peer takes no new requests on this connection; `Failed` follows for those that it did not take."""

    #: The error code's name (RFC 9113 7) and the debug data's `reason`, on one line.
    reason: str


Event = Answered | Failed | GoneAway
