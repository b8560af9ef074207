"""The headers of what Pusher itself puts into `pusher.dead`, and how much of a message is kept; `dead_letters.py` reads
them.
"""

from collections.abc import Mapping

from pusher.clock import utcnow
from pusher.messages import envelope

#: Bytes of a body that are kept: no message that is longer is understood, and one letter must not push out the others.
MAX_KEPT = envelope.MAX_BODY

#: A task that no release of Pusher wrote, or another one did. It has no exchange to go back to.
TASK_INVALID = "task_invalid"


def headers(
    *, reason: str, problem: str, queue: str, exchange: str = "", routing_key: str = "", size: int
) -> dict[str, str]:
    """Return the headers of a letter: why it is one, where it came from, and how many bytes it had when it came."""
    return {
        "x-pusher-reason": reason,
        "x-pusher-problem": problem,
        "x-pusher-queue": queue,
        "x-pusher-exchange": exchange,
        "x-pusher-routing-key": routing_key,
        "x-pusher-at": utcnow().isoformat(timespec="seconds"),
        "x-pusher-size": str(size),
    }


def size(headers: Mapping[str, object], body: bytes) -> int:
    """Return how many bytes the message had that `headers` and `body` were made of."""
    written = headers.get("x-pusher-size")
    return int(written) if isinstance(written, str) and written.isdecimal() and len(written) < 16 else len(body)
