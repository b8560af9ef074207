"""Which streams a client may open: MAX_CONCURRENT_STREAMS and GOAWAY as RFC 9113 5.1.2 and 6.8 have them.

A client is only blamed for what it must have known: a limit it acknowledged, a GOAWAY it read.
"""

import math
import struct
from dataclasses import dataclass
from enum import Enum, auto

from pusher.simulators.misbehaviour import GoAway


class Fate(Enum):
    """What becomes of a new stream."""

    TAKEN = auto()
    #: RST_STREAM with REFUSED_STREAM.
    REFUSED = auto()
    #: Above GOAWAY's last stream id: no answer at all.
    IGNORED = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a new stream is treated, and what the client did wrong, if anything."""

    fate: Fate
    violation: str | None = None


class StreamRules:
    """The rules of one connection."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._acknowledged: float = math.inf
        self._highest_stream_id = 0
        self._promised: int | None = None
        self._goaway_read = False

    def judge(self, stream_id: int, concurrent: int) -> Verdict:
        """Decide about a new stream that is one of `concurrent` open ones."""
        self._highest_stream_id = stream_id
        if self.is_dropped(stream_id):
            return Verdict(Fate.IGNORED, "stream after GOAWAY" if self._goaway_read else None)
        if concurrent > self._limit:
            known = concurrent > max(self._limit, self._acknowledged)
            return Verdict(Fate.REFUSED, "stream over limit" if known else None)
        return Verdict(Fate.TAKEN)

    def announce(self, limit: int) -> bool:
        """Note the limit we announce; False when it is no news."""
        changed, self._limit = limit != self._limit, limit
        return changed

    def acknowledged(self, limit: int) -> None:
        """Note the limit that the client acknowledged."""
        self._acknowledged = limit

    def go_away(self, behaviour: GoAway, last_stream_id: int | None) -> bytes:
        """Return the GOAWAY frame and hold the client to it; None stands for the highest stream so far.

        A second GOAWAY never promises more than the first.
        """
        last = self._highest_stream_id if last_stream_id is None else last_stream_id
        self._promised = last if self._promised is None else min(last, self._promised)
        payload = struct.pack(">II", self._promised, behaviour.error_code)
        if behaviour.reason is not None:
            payload += b'{"reason":"%s"}' % behaviour.reason.encode()
        return len(payload).to_bytes(3, "big") + b"\x07" + bytes(5) + payload

    def goaway_read(self) -> None:
        """Note that the client has read our GOAWAY."""
        self._goaway_read = True

    def is_dropped(self, stream_id: int) -> bool:
        """Tell whether GOAWAY said that the stream is not processed."""
        return self._promised is not None and stream_id > self._promised
