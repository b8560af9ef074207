"""What a simulator does instead of the right thing, and the script that says to which request."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from h2.errors import ErrorCodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The base of all. Requests wait `delay_s` seconds before anything happens to them."""

    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Behaviour):
    """Do the right thing, but only after `delay_s` seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStreams(Behaviour):
    """Do the right thing, and announce a new MAX_CONCURRENT_STREAMS on this connection with it."""

    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoAway(Behaviour):
    """Announce the end of this connection (RFC 9113 6.8)."""

    #: Whether this request is still answered; if not, the last stream id is below it.
    processed: bool = True
    #: Sent as APNs does it: `{"reason": ...}` in the debug data.
    reason: str | None = None
    error_code: int = ErrorCodes.NO_ERROR
    #: Close the connection once the promised answers are out; otherwise see whether the client stops.
    closes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead(Behaviour):
    """The base of all that takes the place of the right answer."""

    #: Act on the request all the same: the push goes out and only its answer is wrong or missing.
    accept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Instead):
    """A complete answer. The simulator adds the headers and the body that its vendor would send."""

    status: int
    #: APNs' `reason` or FCM's `errorCode`.
    reason: str | None = None
    #: More header fields, such as `retry-after`; names in lower case.
    headers: tuple[tuple[str, str], ...] = ()
    #: Takes the place of the vendor's body; need not be JSON.
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Instead):
    """RST_STREAM with `error_code`."""

    error_code: int = ErrorCodes.INTERNAL_ERROR


#: RST_STREAM that promises: not processed (RFC 9113 8.7).
REFUSE = Reset(error_code=ErrorCodes.REFUSED_STREAM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent(Instead):
    """Never answer; the connection stays up and answers PING."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect(Instead):
    """Reset the TCP connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfClose(Instead):
    """End our half of the TCP connection, without TLS' goodbye, and go on reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage(Instead):
    """Send `data` where HTTP/2 frames are expected."""

    data: bytes = field(default=b"HTTP/1.1 400 Bad Request\r\n\r\n", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    behaviour: Behaviour
    #: The device token it is meant for; None for any.
    token: str | None
    #: Requests it is still good for; not counted among `always`.
    times: int = 1

    def fits(self, mentions: Callable[[str], bool]) -> bool:
        return self.token is None or mentions(self.token)


class Script:
    """Behaviours in waiting. Any thread may write it while another plays it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: list[_Line] = []
        self._always: list[_Line] = []

    def next(self, behaviour: Behaviour, *, times: int = 1, token: str | None = None) -> None:
        """Have the next `times` requests (that mention `token`) meet `behaviour`, first come first served."""
        with self._lock:
            self._next.append(_Line(behaviour=behaviour, token=token, times=times))

    def always(self, behaviour: Behaviour, *, token: str | None = None) -> None:
        """Have all other requests (that mention `token`) meet `behaviour`, the newest one that fits."""
        with self._lock:
            self._always.insert(0, _Line(behaviour=behaviour, token=token))

    def clear(self) -> None:
        """Do the right thing from now on."""
        with self._lock:
            self._next.clear()
            self._always.clear()

    def take(self, mentions: Callable[[str], bool]) -> Behaviour | None:
        """Return what the request meets, None for the right thing; `mentions` finds a token in it."""
        with self._lock:
            for at, line in enumerate(self._next):
                if line.fits(mentions):
                    self._count_down(at, line)
                    return line.behaviour
            return next((line.behaviour for line in self._always if line.fits(mentions)), None)

    def _count_down(self, at: int, line: _Line) -> None:
        if line.times > 1:
            self._next[at] = replace(line, times=line.times - 1)
        else:
            del self._next[at]
