"""What happened, as plain values: all that the ledger is given."""

from dataclasses import dataclass, field
from enum import StrEnum


class Fate(StrEnum):
    """What the broker said about a message."""

    #: Confirmed, in a queue.
    TAKEN = "taken"
    #: Confirmed, and given back: no queue was bound to its exchange.
    RETURNED = "returned"
    #: No word: it may be anywhere.
    UNKNOWN = "unconfirmed"


class Struck(StrEnum):
    """Whom a fault took away."""

    #: One of two: the other goes on.
    WORKER = "worker"
    WORKERS = "all workers"
    LISTENER = "listener"
    BROKER = "RabbitMQ"
    REDIS = "Redis"
    DOCUMENTS = "documents store"
    APPLE = "apple"
    FIREBASE = "firebase"


class Expect(StrEnum):
    """What a call should come to where nothing is wrong."""

    #: The push is accepted, and the call answered if the phone registers.
    PUSHED = "pushed"
    #: Answered as failed; these are Push-Reasons.
    DEAD_TOKEN = "dead_token"
    UNKNOWN_APP = "unknown_app"
    UNKNOWN_TYPE = "unknown_token_type"
    MALFORMED_TOKEN = "malformed_token"
    #: Its token died about when it was called.
    EITHER = "either"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    """A fault; times here and below are epoch seconds."""

    kind: str
    struck: Struck
    began: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request at a provider."""

    at: float
    #: The behaviour's text, None for the right thing.
    behaviour: str | None = None
    #: The behaviour loses the answer, or worse.
    loses_answer: bool = False
    #: HTTP status, None where nothing was answered.
    status: int | None = None
    #: When its connection ended, None while it is open.
    connection_closed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A push_resp that reached the proxy."""

    at: float
    #: `registered`, or a Push-Reason.
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A reg_success that was published."""

    at: float
    fate: Fate
    device: str
    token: str = field(repr=False)
    registration_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line in a log."""

    at: float
    process: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Everything about one push_req."""

    msg_id: str
    call_id: str
    device: str
    #: `apple` or `firebase`.
    provider: str
    expect: Expect
    published_at: float
    fate: Fate
    requests: tuple[Request, ...] = ()
    #: When a provider accepted it, each time.
    accepted_at: tuple[float, ...] = ()
    answers: tuple[Answer, ...] = ()
    #: Those that its own push made the phone send.
    wakeups: tuple[Registration, ...] = ()
    #: When its phone registered, for whatever reason.
    registered_at: tuple[float, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecord:
    """A device, and what its document holds in the end."""

    device: str
    #: In order.
    registrations: tuple[Registration, ...]
    #: Token-ID of the document, None where it has no push object.
    found: str | None = field(repr=False)
    #: When the token died that it registered with last, None while it lives.
    dead_since: float | None = None
    #: When a call was told that it is dead, None where none was.
    told_dead_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message in `pusher.dead`."""

    reason: str
    problem: str
    #: Of the message in it, None where it cannot be read.
    msg_id: str | None
    #: Whether the driver sent it so.
    meant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A round of the soak."""

    window_s: float
    faults: tuple[FaultRecord, ...]
    pushes: tuple[Push, ...]
    devices: tuple[DeviceRecord, ...] = ()
    #: Those after every phone has registered once more, when nothing was wrong any more.
    devices_later: tuple[DeviceRecord, ...] = ()
    letters: tuple[Letter, ...] = ()
    #: Lines of level ERROR or worse, and tracebacks.
    errors: tuple[Line, ...] = ()
    #: Processes that ended by themselves, or with an exit status that is not 0 when told to end.
    ended: tuple[str, ...] = ()
    #: Queues that did not get empty when nothing was wrong any more.
    left: tuple[str, ...] = ()
    #: What our HTTP/2 client did that no client may.
    violations: tuple[str, ...] = ()
