"""Reconciles what happened with what was promised, and finds what no fault explains. Pure.

Each rule looks at one thing, and says of what is not as usual either which fault explains it or that none does.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.soak import excuses
from tests.soak.excuses import Faults
from tests.soak.record import DeviceRecord, Expect, Fate, Push, Record, Registration

#: Seconds by which a line in a log may be later than the arrival that it tells of, and clocks of requests may differ.
CLOCK_S = 0.25
#: Seconds before its deadline up to which a registration is in time for its call.
IN_TIME_S = 1.0
#: What a log says of a push that failed for good.
_ENDED = (" push given up ", " push refused ", " token dead ")


class Rule(StrEnum):
    """What is promised."""

    HANDLED = "a push is accepted, answered as failed, or past its deadline"
    FAILURE_ANSWERED = "a push that failed is answered"
    FAILURE_SURVIVES_REDIS = "a push that failed is answered, though its wait was lost with Redis"
    ONCE_ACCEPTED = "a push is accepted once"
    IN_TIME = "no push is accepted after its deadline"
    ONCE_ANSWERED = "a call is answered once"
    RIGHT_REASON = "a call is answered with the right reason"
    NOBODY_REGISTERED = "a call is answered as registered only if its phone registered"
    REGISTERED = "a call whose phone registered in time is answered"
    DOCUMENT = "a document holds the token that its device registered with last"
    DOCUMENT_LATER = "a document holds that token once the phone has registered again"
    DEAD_FORGOTTEN = "a dead token is forgotten, and no other"
    LETTERS = "pusher.dead holds only what was sent malformed or came too late"
    PROCESSES = "no process ends by itself"
    ERRORS = "no error of ours is in a log"
    SETTLED = "no message stays in a queue or in hand"
    HTTP2 = "the HTTP/2 client keeps the rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Something that is not as where nothing went wrong."""

    rule: Rule
    #: What was seen.
    what: str
    #: The fault that explains it; None makes it a finding.
    cause: str | None
    #: The push it is about.
    push: Push | None = None


def reconcile(record: Record) -> list[Deviation]:
    """Return all deviations of a round."""
    faults = Faults(record.faults)
    troubles = _troubles(record.pushes)
    found: list[Deviation] = []
    for push in record.pushes:
        found += _push(push, record, faults, troubles[push.provider])
    found += _documents(record, faults)
    found += _letters(record, faults)
    found += [Deviation(rule=Rule.PROCESSES, what=each, cause=None) for each in record.ended]
    found += [Deviation(rule=Rule.SETTLED, what=each, cause=None) for each in record.left]
    found += [Deviation(rule=Rule.HTTP2, what=each, cause=None) for each in record.violations]
    found += [
        Deviation(rule=Rule.ERRORS, what=f"{line.process}:{line.text}", cause=excuses.error(line, faults, troubles))
        for line in record.errors
    ]
    return found


def deadline_of(push: Push, window_s: float, *, at: float | None = None) -> float:
    """Return when `push` is past its deadline, at the latest; told before `at` if that is given.

    The window is counted from its arrival, and anew where the listener that took it was killed and it came again.
    """
    told = [line.at for line in push.lines if " push requested " in line.text and (at is None or line.at <= at)]
    return (max(told) if told else push.published_at) + window_s


def _troubles(pushes: Sequence[Push]) -> Mapping[str, Sequence[float]]:
    """Return for each provider when a request met something other than the right thing."""
    troubles: dict[str, list[float]] = defaultdict(list)
    for push in pushes:
        troubles[push.provider] += [each.at for each in push.requests if each.behaviour or each.status != 200]
    return troubles


def _push(push: Push, record: Record, faults: Faults, troubles: Sequence[float]) -> Iterator[Deviation]:
    yield from _handled(push, record, faults)
    yield from _accepted(push, record, faults)
    yield from _answered(push, faults, troubles)
    yield from _woken(push, record, faults)


def _handled(push: Push, record: Record, faults: Faults) -> Iterator[Deviation]:
    if push.answers:
        return
    failed_at = next((line.at for line in push.lines if any(word in line.text for word in _ENDED)), None)
    if failed_at is None and push.accepted_at:
        return
    if failed_at is None:
        what, cause = "nothing came of it", excuses.never_came(push, faults, deadline_of(push, record.window_s))
        yield Deviation(rule=Rule.HANDLED, what=what, cause=cause, push=push)
        return
    if failed_at >= deadline_of(push, record.window_s, at=failed_at) - CLOCK_S:
        cause = "its deadline had passed when it was given up"
        yield Deviation(rule=Rule.FAILURE_ANSWERED, what="it failed and was not answered", cause=cause, push=push)
        return
    cause = excuses.failure_not_heard(push, faults, failed_at)
    if cause is None and excuses.lost_with_redis(push, faults, failed_at):
        yield Deviation(rule=Rule.FAILURE_SURVIVES_REDIS, what="it failed and was not answered", cause=None, push=push)
    else:
        yield Deviation(rule=Rule.FAILURE_ANSWERED, what="it failed and was not answered", cause=cause, push=push)


def _accepted(push: Push, record: Record, faults: Faults) -> Iterator[Deviation]:
    times = len(push.accepted_at)
    if times > 1:
        cause = excuses.accepted_twice(push, faults)
        yield Deviation(rule=Rule.ONCE_ACCEPTED, what=f"accepted {times} times", cause=cause, push=push)
    for at in push.accepted_at:
        late_s = at - deadline_of(push, record.window_s, at=at)
        # A listener that was killed after it had enqueued the task has not told of it.
        told = any(" push requested " in line.text and line.at <= at + CLOCK_S for line in push.lines)
        if late_s > CLOCK_S + (0.0 if told else record.window_s):
            what = f"accepted {late_s:.2f} s after its deadline"
            yield Deviation(rule=Rule.IN_TIME, what=what, cause=None, push=push)


def _answered(push: Push, faults: Faults, troubles: Sequence[float]) -> Iterator[Deviation]:
    if len(push.answers) > 1:
        what = "answered " + ", ".join(answer.said for answer in push.answers)
        cause = excuses.answered_twice(push, faults)
        yield Deviation(rule=Rule.ONCE_ANSWERED, what=what, cause=cause, push=push)
    for answer in push.answers:
        what = f"answered {answer.said} and not {push.expect}"
        if answer.said == "registered":
            before = max((at for at in push.registered_at if at <= answer.at), default=0.0)
            if before < push.published_at - CLOCK_S:
                cause = excuses.registered_before(push, faults, before)
                yield Deviation(rule=Rule.NOBODY_REGISTERED, what=what, cause=cause, push=push)
        elif answer.said == "provider_unavailable":
            cause = excuses.failed(push, faults, answer.at, troubles)
            yield Deviation(rule=Rule.RIGHT_REASON, what="provider_unavailable", cause=cause, push=push)
        elif answer.said != push.expect and not (push.expect is Expect.EITHER and answer.said == Expect.DEAD_TOKEN):
            yield Deviation(rule=Rule.RIGHT_REASON, what=what, cause=None, push=push)


def _woken(push: Push, record: Record, faults: Faults) -> Iterator[Deviation]:
    if push.answers or not push.accepted_at:
        return
    deadline = push.published_at + record.window_s
    in_time = [
        each.at
        for each in push.wakeups
        if each.fate is Fate.TAKEN and push.accepted_at[0] - CLOCK_S <= each.at <= deadline - IN_TIME_S
    ]
    if in_time:
        cause = excuses.not_registered(push, faults, in_time[0], deadline)
        what = f"its phone registered {in_time[0] - push.published_at:.2f} s after the call, and nobody was told"
        yield Deviation(rule=Rule.REGISTERED, what=what, cause=cause, push=push)


def _documents(record: Record, faults: Faults) -> Iterator[Deviation]:
    for device in record.devices:
        yield from _document(device, Rule.DOCUMENT, faults)
    for device in record.devices_later:
        if device.dead_since is None:
            # One whose app is removed does not register again.
            yield from _document(device, Rule.DOCUMENT_LATER, None)


def _document(device: DeviceRecord, rule: Rule, faults: Faults | None) -> Iterator[Deviation]:
    """Yield what is wrong with a document; without `faults` nothing explains it."""
    possible, last = _last(device.registrations)
    if last is None or (device.dead_since is not None and device.dead_since - CLOCK_S <= last.at):
        return  # A dead token with which it registered again, as far as Pusher can know, is left alone.
    told = device.told_dead_at if device.dead_since is not None else None
    if told is not None and device.found in (None, last.token):
        right = device.found is None
        rule, what = Rule.DEAD_FORGOTTEN, "its dead token is still there"
    else:
        right = device.found in {each.token for each in possible} or (
            device.found is None and device.dead_since is not None
        )
        what = "it has no push object" if device.found is None else "it holds another token"
    if right:
        return
    until = max(last.at, told or 0.0) + 1.0
    cause = None if faults is None else _document_cause(device, last, faults, until)
    when = f"registered at {last.at:.1f}, dead since {device.dead_since}, told so at {told}"
    yield Deviation(rule=rule, what=f"device {device.device}: {what}; {when}", cause=cause)


def _document_cause(device: DeviceRecord, last: Registration, faults: Faults, until: float) -> str | None:
    cause = excuses.document_differs(last.at, faults, until)
    if cause is None and device.told_dead_at is not None:
        cause = excuses.document_differs(device.told_dead_at, faults, until)
    if cause is None and device.told_dead_at is not None:
        cause = excuses.owner_lost(last.at, device.told_dead_at, faults)
    return cause


def _last(registrations: Sequence[Registration]) -> tuple[list[Registration], Registration | None]:
    """Return the registrations of which one is the last that came, and the last that surely did."""
    unsure: list[Registration] = []
    for each in reversed(registrations):
        if each.fate is Fate.TAKEN:
            return [*unsure, each], each
        unsure.append(each)
    return unsure, None


def _letters(record: Record, faults: Faults) -> Iterator[Deviation]:
    pushes = {push.msg_id: push for push in record.pushes}
    for letter in record.letters:
        if letter.meant and letter.reason in ("message_invalid", "expired"):
            continue
        push = pushes.get(letter.msg_id or "")
        cause = None
        if letter.reason == "expired" and push is not None:
            cause = excuses.never_came(push, faults, push.published_at + record.window_s)
        what = f"{letter.reason} {letter.problem}".strip()
        yield Deviation(rule=Rule.LETTERS, what=what, cause=cause, push=push)
