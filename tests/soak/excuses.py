"""Which fault explains that something went otherwise: each is a question to the faults of the round."""

import re
from collections.abc import Iterable, Mapping, Sequence

from tests.soak.record import Fate, FaultRecord, Line, Push, Struck

#: Seconds after its end for which a fault still shows: processes leave Redis and documents alone for five seconds,
#: reconnect to RabbitMQ within five, and dial a provider again within five.
SHOWS_FOR_S: Mapping[Struck, float] = {
    Struck.WORKER: 1.0,
    Struck.WORKERS: 1.0,
    Struck.LISTENER: 1.0,
    Struck.BROKER: 6.0,
    Struck.REDIS: 6.0,
    Struck.DOCUMENTS: 6.0,
    Struck.APPLE: 6.0,
    Struck.FIREBASE: 6.0,
}
#: Seconds around the acceptance of a push in which its worker has it in hand: a request may take five.
IN_HAND_S = 6.0
#: Seconds between the acceptance and the mark in Redis, in which a killed worker forgets it.
UNMARKED_S = 1.0
#: Seconds before a deadline in which it is too late to take up a push, and to wake its phone.
TOO_LATE_S = 2.0
#: Seconds that a message may lie in its queue at the broker before somebody takes it.
IN_QUEUE_S = 3.0
#: Seconds for which trouble at a provider may answer calls of others for it: a breaker that is open.
TROUBLE_S = 15.0


class Faults:
    """The faults of a round."""

    def __init__(self, faults: Iterable[FaultRecord]) -> None:
        self._faults = sorted(faults, key=lambda fault: fault.began)

    def between(self, since: float, until: float, *whom: Struck, shows: bool = True) -> FaultRecord | None:
        """Return the first fault that struck one of `whom` and shows between two times."""
        for fault in self._faults:
            lasts = fault.ended + (SHOWS_FOR_S[fault.struck] if shows else 0.0)
            if fault.struck in whom and fault.began <= until and lasts >= since:
                return fault
        return None

    def began(self, since: float, until: float, *whom: Struck) -> bool:
        """Tell whether a fault struck one of `whom` between two times."""
        return any(fault.struck in whom and since <= fault.began <= until for fault in self._faults)

    def lasted(self, since: float, until: float, *whom: Struck) -> bool:
        """Tell whether one of `whom` was away from before `until` to about then, or longer, after `since`."""
        return any(
            fault.struck in whom and fault.began <= until and fault.ended >= max(since, until - TOO_LATE_S)
            for fault in self._faults
        )

    def around(self, push: Push) -> list[FaultRecord]:
        """Return those that may concern `push`, for its timeline."""
        until = max([push.published_at + 30.0, *push.accepted_at, *(answer.at for answer in push.answers)])
        return [fault for fault in self._faults if fault.began <= until and fault.ended >= push.published_at - 10.0]


def never_came(push: Push, faults: Faults, deadline: float) -> str | None:
    """Why a push was neither accepted nor answered, nor ended as failed in a log."""
    if push.fate is Fate.UNKNOWN:
        return "its push_req was not confirmed"
    if push.fate is Fate.RETURNED:
        return "no queue took its push_req after a restart of RabbitMQ"
    if faults.between(push.published_at, push.published_at + IN_QUEUE_S, Struck.BROKER):
        return "lost with RabbitMQ, where Kamailio's messages are transient"
    if faults.lasted(push.published_at, deadline, Struck.LISTENER):
        return "its deadline passed while no listener took it"
    if faults.lasted(push.published_at, deadline, Struck.WORKERS):
        return "its deadline passed while no worker took it"
    if faults.began(deadline - IN_HAND_S, deadline, Struck.WORKER, Struck.WORKERS) and push.requests:
        return "its worker was killed when it was late already"
    retried = any(" push will be retried " in line.text for line in push.lines)
    if retried and faults.between(push.published_at, deadline, Struck.WORKER):
        return "its deadline passed while a worker that stopped held its retry"
    if retried and faults.between(push.published_at, deadline, Struck.DOCUMENTS):
        return "its retry expired while a documents store that hung held its worker's threads"
    if faults.between(push.published_at, deadline, Struck.BROKER):
        return "its deadline passed while RabbitMQ was away"
    return None


def failure_not_heard(push: Push, faults: Faults, failed_at: float) -> str | None:
    """Why nobody heard that a push failed."""
    if faults.between(failed_at - 1.0, failed_at + 1.0, Struck.BROKER):
        return "RabbitMQ was away, or the proxy's queue with it"
    # Between the claim and the publication, which may wait for its confirmation.
    if faults.began(failed_at - 0.1, failed_at + 1.0, Struck.WORKER, Struck.WORKERS):
        return "its worker was killed while it answered"
    return None


def lost_with_redis(push: Push, faults: Faults, until: float) -> str | None:
    """Whether the call's wait was not written, got lost, or could not be claimed at `until`."""
    added = faults.between(push.published_at - 0.5, push.published_at + 1.0, Struck.REDIS)
    kept = faults.between(push.published_at, until, Struck.REDIS, shows=False)
    claimed = faults.between(until - 0.5, until + 1.0, Struck.REDIS)
    return "its wait was lost with Redis" if added or kept or claimed else None


def accepted_twice(push: Push, faults: Faults) -> str | None:
    """Why a provider accepted a push more than once."""
    first, last = min(push.accepted_at), max(push.accepted_at)
    if any(request.loses_answer and first - 0.1 <= request.at <= last for request in push.requests):
        return "the answer to its request was lost"
    if _connection_broke(push, first):
        return "its connection broke before the answer was read"
    workers = Struck.WORKER, Struck.WORKERS
    redelivered = faults.between(first - IN_HAND_S, last, *workers, Struck.LISTENER, Struck.BROKER)
    if redelivered is None:
        return None
    if faults.between(first - 1.0, last, Struck.REDIS):
        return f"delivered again ({redelivered.kind}), and its mark lost with Redis"
    if faults.began(first - 0.1, first + UNMARKED_S, *workers):
        return "its worker was killed before it could mark it"
    if (
        faults.between(first - IN_HAND_S, first + UNMARKED_S, Struck.BROKER, Struck.LISTENER)
        and last - first < IN_HAND_S
    ):
        return f"delivered again while it was being sent ({redelivered.kind})"
    return None


def _connection_broke(push: Push, accepted_at: float) -> bool:
    """Tell whether the connection of an accepted request ended right after it: a neighbour's fault, as a rule."""
    return any(
        request.connection_closed_at is not None
        and request.status in (None, 200)
        and request.at <= accepted_at + 0.1
        and request.connection_closed_at - accepted_at < 1.0
        for request in push.requests
    )


def answered_twice(push: Push, faults: Faults) -> str | None:
    """Why a call was answered more than once."""
    last = max(answer.at for answer in push.answers)
    if faults.between(push.published_at, last, Struck.REDIS):
        return "Redis was away or lost its claim"
    if faults.between(push.published_at, last, Struck.BROKER):
        return "RabbitMQ took an answer without saying so"
    if faults.between(push.published_at - 0.1, push.published_at + IN_QUEUE_S, Struck.LISTENER):
        return "its listener was killed before it acknowledged the push_req"
    return None


def registered_before(push: Push, faults: Faults, registered_at: float) -> str | None:
    """Why a call was answered by a registration from before it."""
    if faults.between(registered_at, push.published_at, Struck.LISTENER, Struck.BROKER, Struck.REDIS):
        return "its phone's registration had waited for its listener"
    return None


def not_registered(push: Push, faults: Faults, registered_at: float, deadline: float) -> str | None:
    """Why a call was not answered though its phone registered in time."""
    # While no listener was there, the registration waited, and Redis may have lost the call meanwhile.
    waited = faults.between(registered_at, registered_at, Struck.LISTENER)
    taken_at = registered_at if waited is None else max(registered_at, waited.ended + SHOWS_FOR_S[Struck.LISTENER])
    if lost := lost_with_redis(push, faults, taken_at):
        return lost
    if unread := _settings_unread(registered_at, faults):
        return unread
    if faults.between(push.published_at, deadline, Struck.BROKER):
        return "RabbitMQ lost the registration or the answer"
    if faults.lasted(registered_at, deadline, Struck.LISTENER):
        return "no listener took the registration in time"
    if faults.began(registered_at - 0.1, registered_at + 1.0, Struck.LISTENER):
        return "its listener was killed between claim and answer"
    return None


def failed(push: Push, faults: Faults, answered_at: float, troubles: Iterable[float]) -> str | None:
    """Why a call to a living token was answered with `provider_unavailable`."""
    if any(request.behaviour is not None or request.status != 200 for request in push.requests):
        return "its own requests met a fault"
    provider = Struck(push.provider)
    if faults.between(push.published_at - TROUBLE_S, answered_at, provider):
        return "its provider was away or slow"
    if any(answered_at - TROUBLE_S <= at <= answered_at for at in troubles):
        return "its provider was in trouble"
    whom = Struck.WORKER, Struck.WORKERS, Struck.BROKER, Struck.LISTENER
    late = faults.between(push.published_at, answered_at, *whom)
    if late is not None:
        return f"it came too late to its worker ({late.kind})"
    if faults.between(push.published_at, answered_at, Struck.DOCUMENTS):
        return "its worker could not read the settings"
    return None


def _settings_unread(at: float, faults: Faults) -> str | None:
    """Why a listener knew no phones at `at`: it was started while the documents store was away."""
    documents = faults.between(at, at, Struck.DOCUMENTS)
    if documents is not None and faults.between(documents.began - 3.0, at, Struck.LISTENER):
        return "its listener had not read the settings yet"
    return None


def document_differs(at: float, faults: Faults, until: float) -> str | None:
    """Why a registration at `at` did not reach its document."""
    if unread := _settings_unread(at, faults):
        return unread
    if faults.between(at - 1.0, at + IN_QUEUE_S, Struck.BROKER, Struck.LISTENER):
        return "the registration was lost with RabbitMQ"
    if faults.between(at, until, Struck.REDIS):
        return "who owns the token was lost with Redis"
    return None


def owner_lost(registered_at: float, dead_at: float, faults: Faults) -> str | None:
    """Why nobody knew whose token it was when its provider called it dead."""
    if faults.between(registered_at, dead_at, Struck.REDIS):
        return "who owns the token was lost with Redis"
    return None


#: What is logged as an error, or with a traceback, where a server is away.
_ERRORS: Sequence[tuple[re.Pattern[str], Struck]] = (
    # Celery's own words when its connection broke.
    (re.compile(r" Couldn't (ack|reject) \d+, reason:"), Struck.BROKER),
    (re.compile(r" Task pusher\.[a-z.]+\[[0-9a-f-]+\] reject requeue=True: "), Struck.BROKER),
    (re.compile(r" Error cleaning up after event loop: "), Struck.BROKER),
    (re.compile(r" Error on stopping \w+: (BrokenPipe|ConnectionReset)Error"), Struck.BROKER),
    (re.compile(r" consumer: Connection to broker lost\. "), Struck.BROKER),
    (re.compile(r" consumer: Cannot connect to amqp://"), Struck.BROKER),
    (re.compile(r" failure could not be answered "), Struck.BROKER),
    (re.compile(r" call left unanswered "), Struck.REDIS),
)


#: What a worker logs as an error where a provider is away or in trouble.
_BREAKER = re.compile(r" breaker opened .* provider=(apple|firebase) trouble=unavailable ")


def error(line: Line, faults: Faults, troubles: Mapping[str, Sequence[float]]) -> str | None:
    """Why a process logged an error; `troubles` are when requests of each provider met something wrong."""
    for pattern, struck in _ERRORS:
        if pattern.search(line.text) and faults.between(line.at - 1.0, line.at + 1.0, struck):
            return f"{struck} was away"
    breaker = _BREAKER.search(line.text)
    if breaker is not None:
        provider = breaker[1]
        if faults.between(line.at - 2.0, line.at, Struck(provider)):
            return "a provider was away"
        if any(line.at - TROUBLE_S <= at <= line.at for at in troubles[provider]):
            return "a provider's answers were wrong"
    return None
