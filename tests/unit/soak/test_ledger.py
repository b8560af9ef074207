"""The ledger of a soak can fail: each rule is shown a record that breaks it, and the fault that would explain it."""

from dataclasses import replace

import pytest

from tests.soak.ledger import Deviation, Rule, reconcile
from tests.soak.record import (
    Answer,
    DeviceRecord,
    Expect,
    Fate,
    FaultRecord,
    Letter,
    Line,
    Push,
    Record,
    Registration,
    Request,
    Struck,
)

#: Epoch seconds of the call; the rest is counted from here.
T = 1_000_000.0
WINDOW_S = 7.0


def line(at: float, text: str) -> Line:
    return Line(at=T + at, process="worker-1", text=f" {text} call_id=soak-1@127.0.0.1 ")


def registration(at: float, token: str = "new", fate: Fate = Fate.TAKEN) -> Registration:
    return Registration(at=T + at, fate=fate, device="d", token=token, registration_token="r")


#: A call as it should be: pushed, accepted once, woken, answered.
GOOD = Push(
    msg_id="m",
    call_id="soak-1@127.0.0.1",
    device="d",
    provider="apple",
    expect=Expect.PUSHED,
    published_at=T,
    fate=Fate.TAKEN,
    requests=(Request(at=T + 0.02, status=200),),
    accepted_at=(T + 0.02,),
    answers=(Answer(at=T + 0.2, said="registered"),),
    wakeups=(registration(0.1),),
    registered_at=(T + 0.1,),
    lines=(line(0.01, "push requested"), line(0.03, "push accepted")),
)
#: One of a phone that does not wake.
ASLEEP = replace(GOOD, answers=(), wakeups=(), registered_at=())
#: One of which nothing was seen.
VANISHED = replace(ASLEEP, requests=(), accepted_at=(), lines=())
FAILED = replace(
    VANISHED,
    requests=(Request(at=T + 0.02, status=503, behaviour="Answer(503)"),),
    lines=(line(0.01, "push requested"), line(6.2, "push given up")),
)


def fault(struck: Struck, began: float, lasts_s: float = 0.0) -> FaultRecord:
    return FaultRecord(kind=f"{struck} struck", struck=struck, began=T + began, ended=T + began + lasts_s)


def record(*pushes: Push, faults: tuple[FaultRecord, ...] = (), **more: object) -> Record:
    return Record(window_s=WINDOW_S, pushes=pushes, faults=faults, **more)  # type: ignore[arg-type]


def deviations(*pushes: Push, faults: tuple[FaultRecord, ...] = (), **more: object) -> list[Deviation]:
    return reconcile(record(*pushes, faults=faults, **more))


def only(found: list[Deviation]) -> Deviation:
    [deviation] = found
    return deviation


def explained(found: list[Deviation], rule: Rule) -> bool:
    deviation = only(found)
    assert deviation.rule is rule
    return deviation.cause is not None


@pytest.mark.parametrize(
    "push",
    [
        GOOD,
        ASLEEP,
        replace(FAILED, answers=(Answer(at=T + 6.3, said="provider_unavailable"),)),
        replace(VANISHED, expect=Expect.UNKNOWN_APP, answers=(Answer(at=T + 0.1, said="unknown_app"),)),
        replace(VANISHED, expect=Expect.EITHER, answers=(Answer(at=T + 0.1, said="dead_token"),)),
    ],
    ids=["woken", "asleep", "failed", "unknown app", "token that died meanwhile"],
)
def test_what_is_as_it_should_be_is_no_finding(push):
    assert [each for each in deviations(push) if each.cause is None] == []


@pytest.mark.parametrize(
    ("push", "faults"),
    [
        (replace(VANISHED, fate=Fate.UNKNOWN), ()),
        (replace(VANISHED, fate=Fate.RETURNED), ()),
        (VANISHED, (fault(Struck.BROKER, 1.0),)),
        (VANISHED, (fault(Struck.LISTENER, -1.0, 9.0),)),
        (VANISHED, (fault(Struck.WORKERS, 0.0, 8.0),)),
        (replace(VANISHED, lines=(line(1.0, "push will be retried"),)), (fault(Struck.WORKER, 0.0, 8.0),)),
        (replace(VANISHED, lines=(line(1.0, "push will be retried"),)), (fault(Struck.DOCUMENTS, 0.0, 4.0),)),
        (replace(VANISHED, requests=(Request(at=T + 0.1),)), (fault(Struck.WORKER, 5.0),)),
    ],
    ids=[
        "unconfirmed",
        "given back",
        "lost with the broker",
        "no listener",
        "no worker",
        "retry held by a worker that stops",
        "retry held by documents",
        "killed late",
    ],
)
def test_a_push_that_vanished_is_a_finding_unless_a_fault_explains_it(push, faults):
    assert explained(deviations(push, faults=faults), Rule.HANDLED)
    assert not explained(deviations(VANISHED), Rule.HANDLED)


def test_a_listener_or_workers_that_were_back_in_time_do_not_explain_a_push_that_vanished():
    for struck in (Struck.LISTENER, Struck.WORKERS):
        assert not explained(deviations(VANISHED, faults=(fault(struck, 0.0, 3.0),)), Rule.HANDLED)


@pytest.mark.parametrize("struck", [Struck.WORKER, Struck.REDIS, Struck.DOCUMENTS, Struck.APPLE, Struck.FIREBASE])
def test_neither_one_worker_nor_redis_nor_documents_nor_a_provider_explain_a_push_that_vanished(struck):
    assert not explained(deviations(VANISHED, faults=(fault(struck, 0.0, 8.0),)), Rule.HANDLED)


def test_a_failure_that_nobody_heard_of_is_a_finding_unless_its_answer_was_lost():
    assert not explained(deviations(FAILED), Rule.FAILURE_ANSWERED)
    assert explained(deviations(FAILED, faults=(fault(Struck.BROKER, 6.0),)), Rule.FAILURE_ANSWERED)
    assert explained(deviations(FAILED, faults=(fault(Struck.WORKER, 6.3),)), Rule.FAILURE_ANSWERED)
    assert not explained(deviations(FAILED, faults=(fault(Struck.WORKER, 2.0),)), Rule.FAILURE_ANSWERED)
    assert not explained(deviations(replace(FAILED, accepted_at=(T + 1.0,))), Rule.FAILURE_ANSWERED)


def test_a_failure_after_the_deadline_needs_no_answer():
    late = replace(FAILED, lines=(line(0.01, "push requested"), line(WINDOW_S + 0.5, "push given up")))
    assert explained(deviations(late), Rule.FAILURE_ANSWERED)


def test_a_failure_that_nobody_heard_of_after_redis_was_flushed_is_a_finding():
    assert not explained(deviations(FAILED, faults=(fault(Struck.REDIS, 3.0),)), Rule.FAILURE_SURVIVES_REDIS)


def test_a_second_acceptance_is_a_finding_where_nothing_is_ambiguous():
    twice = replace(ASLEEP, accepted_at=(T + 0.02, T + 2.0))
    assert not explained(deviations(twice), Rule.ONCE_ACCEPTED)
    assert not explained(deviations(twice, faults=(fault(Struck.REDIS, 1.0),)), Rule.ONCE_ACCEPTED)
    assert not explained(deviations(twice, faults=(fault(Struck.WORKER, 1.8),)), Rule.ONCE_ACCEPTED)


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"requests": (Request(at=T + 0.02, behaviour="Silent(accept=True)", loses_answer=True),)}, ()),
        ({"requests": (Request(at=T + 0.02, status=200, connection_closed_at=T + 0.1),)}, ()),
        ({}, (fault(Struck.WORKER, 0.5),)),
        ({}, (fault(Struck.BROKER, 0.5),)),
        ({}, (fault(Struck.LISTENER, 0.1),)),
        ({}, (fault(Struck.WORKER, 1.8), fault(Struck.REDIS, 1.5))),
    ],
    ids=["answer lost", "connection broke", "killed before the mark", "broker", "listener", "mark lost"],
)
def test_a_second_acceptance_is_explained_by_an_ambiguous_fault(change, faults):
    twice = replace(ASLEEP, accepted_at=(T + 0.02, T + 2.0), **change)
    assert explained(deviations(twice, faults=faults), Rule.ONCE_ACCEPTED)


def test_an_acceptance_after_the_deadline_is_a_finding_whatever_struck():
    everything = tuple(fault(struck, -1.0, 9.0) for struck in Struck)
    late = replace(ASLEEP, accepted_at=(T + WINDOW_S + 0.5,))
    assert not explained(deviations(late, faults=everything), Rule.IN_TIME)


def test_the_window_of_a_push_that_came_again_is_counted_anew():
    again = (*ASLEEP.lines, line(3.0, "push requested"))
    assert deviations(replace(ASLEEP, accepted_at=(T + WINDOW_S + 0.5,), lines=again)) == []


@pytest.mark.parametrize("second", ["registered", "provider_unavailable"])
def test_a_second_answer_is_a_finding_unless_redis_or_the_bus_was_struck(second):
    twice = replace(FAILED, answers=(Answer(at=T + 0.2, said="registered"), Answer(at=T + 6.3, said=second)))
    twice = replace(twice, registered_at=(T + 0.1,))

    def unexplained(*faults: FaultRecord) -> list[Rule]:
        return [each.rule for each in deviations(twice, faults=faults) if each.cause is None]

    assert unexplained() == [Rule.ONCE_ANSWERED]
    assert unexplained(fault(Struck.REDIS, 3.0)) == []
    assert unexplained(fault(Struck.BROKER, 3.0)) == []
    assert unexplained(fault(Struck.LISTENER, 0.5)) == []
    assert unexplained(fault(Struck.WORKER, 3.0)) == [Rule.ONCE_ANSWERED]


def test_a_healthy_call_that_is_answered_as_failed_is_a_finding_unless_its_provider_was_in_trouble():
    refused = replace(ASLEEP, answers=(Answer(at=T + 0.2, said="provider_unavailable"),))
    trouble = replace(FAILED, msg_id="n", answers=(Answer(at=T + 6.3, said="provider_unavailable"),))
    assert not explained(deviations(refused), Rule.RIGHT_REASON)
    assert explained(deviations(refused, faults=(fault(Struck.APPLE, -1.0, 2.0),)), Rule.RIGHT_REASON)
    assert not explained(deviations(refused, faults=(fault(Struck.FIREBASE, -1.0, 2.0),)), Rule.RIGHT_REASON)
    by_breaker = [each for each in deviations(refused, trouble) if each.push == refused]
    assert explained(by_breaker, Rule.RIGHT_REASON)
    later = replace(trouble, requests=(replace(trouble.requests[0], at=T + 0.3),))
    assert not explained([each for each in deviations(refused, later) if each.push == refused], Rule.RIGHT_REASON)


@pytest.mark.parametrize("said", ["internal_error", "unknown_app", "dead_token", "credential_refused"])
def test_a_healthy_call_that_is_answered_with_another_reason_is_a_finding_whatever_struck(said):
    everything = tuple(fault(struck, -1.0, 9.0) for struck in Struck)
    wrong = replace(ASLEEP, answers=(Answer(at=T + 0.2, said=said),))
    assert not explained(deviations(wrong, faults=everything), Rule.RIGHT_REASON)


def test_an_answer_as_registered_without_a_registration_is_a_finding():
    assert not explained(deviations(replace(GOOD, registered_at=(), wakeups=())), Rule.NOBODY_REGISTERED)
    before = replace(GOOD, registered_at=(T - 5.0,), wakeups=())
    assert not explained(deviations(before), Rule.NOBODY_REGISTERED)
    assert explained(deviations(before, faults=(fault(Struck.LISTENER, -6.0, 5.0),)), Rule.NOBODY_REGISTERED)


def test_a_registration_in_time_without_an_answer_is_a_finding_unless_a_fault_lost_one_of_them():
    unanswered = replace(GOOD, answers=())

    def found(*faults: FaultRecord) -> bool:
        return not explained(deviations(unanswered, faults=faults), Rule.REGISTERED)

    assert found()
    assert found(fault(Struck.WORKER, 0.1))
    assert found(fault(Struck.REDIS, 3.0))
    assert not found(fault(Struck.REDIS, 0.05))
    assert not found(fault(Struck.REDIS, -3.0))
    assert not found(fault(Struck.BROKER, 0.05))
    assert not found(fault(Struck.LISTENER, 0.1))
    assert found(fault(Struck.LISTENER, -2.0, 4.0))
    assert not found(fault(Struck.LISTENER, -2.0, 9.0))
    assert not found(fault(Struck.LISTENER, -2.0, 4.0), fault(Struck.REDIS, 2.5))
    assert not found(fault(Struck.LISTENER, -2.0, 1.0), fault(Struck.DOCUMENTS, -1.0, 2.0))
    assert found(fault(Struck.DOCUMENTS, -1.0, 2.0))


def test_a_registration_that_came_too_late_or_never_needs_no_answer():
    late = replace(GOOD, answers=(), wakeups=(registration(6.5),))
    assert deviations(late) == []
    assert deviations(replace(late, wakeups=(registration(0.1, fate=Fate.UNKNOWN),))) == []


def device(found: str | None, **changes: object) -> DeviceRecord:
    history = (registration(0.0, "old"), registration(1.0, "new"))
    return replace(DeviceRecord(device="d", registrations=history, found=found), **changes)  # type: ignore[arg-type]


def test_a_document_with_another_token_is_a_finding_unless_a_fault_explains_it():
    assert deviations(devices=(device("new"),)) == []
    for wrong in ("old", None):
        assert not explained(deviations(devices=(device(wrong),)), Rule.DOCUMENT)
        assert explained(deviations(devices=(device(wrong),), faults=(fault(Struck.BROKER, 1.0),)), Rule.DOCUMENT)
        assert not explained(
            deviations(devices=(device(wrong),), faults=(fault(Struck.DOCUMENTS, 1.0),)), Rule.DOCUMENT
        )


def test_a_listener_that_never_read_the_settings_learns_no_phone():
    started = fault(Struck.LISTENER, -2.0, 1.0), fault(Struck.DOCUMENTS, -1.0, 3.0)
    assert explained(deviations(devices=(device("old"),), faults=started), Rule.DOCUMENT)


def test_nothing_explains_a_wrong_document_once_the_phone_has_registered_again():
    everything = tuple(fault(struck, -1.0, 9.0) for struck in Struck)
    assert not explained(deviations(devices_later=(device("old"),), faults=everything), Rule.DOCUMENT_LATER)


def test_a_document_may_hold_either_token_where_the_last_registration_was_not_confirmed():
    history = (registration(0.0, "old"), registration(1.0, "new", Fate.UNKNOWN))
    assert deviations(devices=(device("old", registrations=history), device("new", registrations=history))) == []
    assert not explained(deviations(devices=(device("older", registrations=history),)), Rule.DOCUMENT)


def test_a_dead_token_that_is_still_there_is_a_finding_unless_its_owner_was_lost():
    dead = {"dead_since": T + 3.0, "told_dead_at": T + 4.0}
    assert deviations(devices=(device(None, **dead),)) == []
    assert deviations(devices=(device("new", dead_since=T + 3.0),)) == []
    assert not explained(deviations(devices=(device("new", **dead),)), Rule.DEAD_FORGOTTEN)
    for at in (1.5, 2.0, 3.9):
        flushed = (fault(Struck.REDIS, at),)
        assert explained(deviations(devices=(device("new", **dead),), faults=flushed), Rule.DEAD_FORGOTTEN)


def test_a_dead_letter_is_a_finding_unless_it_was_meant_or_expired_while_no_listener_took_it():
    meant = Letter(reason="message_invalid", problem="p", msg_id=None, meant=True)
    expired = Letter(reason="expired", problem="", msg_id="m", meant=False)
    assert deviations(letters=(meant,)) == []
    assert not explained(deviations(letters=(replace(meant, meant=False),)), Rule.LETTERS)
    assert not explained(deviations(letters=(replace(meant, reason="internal_error"),)), Rule.LETTERS)
    assert not explained(deviations(GOOD, letters=(expired,)), Rule.LETTERS)
    away = (fault(Struck.LISTENER, -1.0, 9.0),)
    assert explained(deviations(GOOD, letters=(expired,), faults=away), Rule.LETTERS)


def test_processes_that_end_messages_that_stay_and_rules_that_the_client_breaks_are_findings():
    assert not explained(deviations(left=("push.apple",)), Rule.SETTLED)
    assert not explained(deviations(ended=("worker-1 ended by itself with 1",)), Rule.PROCESSES)
    assert not explained(deviations(violations=("stream over limit",)), Rule.HTTP2)


def test_an_error_in_a_log_is_a_finding_unless_it_is_known_to_come_with_a_fault_that_struck():
    ours = line(0.0, "push failed by an error of ours")
    celery = line(0.0, "Couldn't ack 7, reason:RecoverableConnectionError")
    everything = tuple(fault(struck, -1.0, 9.0) for struck in Struck)
    assert not explained(deviations(errors=(ours,), faults=everything), Rule.ERRORS)
    assert not explained(deviations(errors=(celery,)), Rule.ERRORS)
    assert explained(deviations(errors=(celery,), faults=(fault(Struck.BROKER, -0.5),)), Rule.ERRORS)


def test_an_open_breaker_is_a_finding_unless_its_provider_was_in_trouble():
    said = "breaker opened app=a provider={} trouble={} code=x after_s=1.2"
    apple, mistake = line(0.0, said.format("apple", "unavailable")), line(0.0, said.format("apple", "refusals"))
    away = (fault(Struck.APPLE, -1.0, 3.0),)
    assert not explained(deviations(errors=(apple,)), Rule.ERRORS)
    assert not explained(deviations(errors=(apple,), faults=(fault(Struck.FIREBASE, -1.0, 3.0),)), Rule.ERRORS)
    assert not explained(deviations(errors=(mistake,), faults=away), Rule.ERRORS)
    assert explained(deviations(errors=(apple,), faults=away), Rule.ERRORS)
