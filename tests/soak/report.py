"""What a soak found, for people: counts, what was explained by which fault, and the timeline of what was not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.soak.excuses import Faults
from tests.soak.ledger import Deviation, Rule
from tests.soak.record import Fate, Push, Record

#: Findings told with their timeline; more of them are counted.
TOLD = 20


@dataclass
class Summary:
    """Adds rounds up; holds no push but those of findings."""

    faults: Counter[str] = field(default_factory=Counter)
    behaviours: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    explained: Counter[tuple[Rule, str]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    #: When what struck, where there are findings.
    struck: list[str] = field(default_factory=list)
    found: Counter[Rule] = field(default_factory=Counter)

    def add(self, record: Record, deviations: Sequence[Deviation]) -> None:
        """Add a round."""
        self.faults.update(fault.kind for fault in record.faults)
        for push in record.pushes:
            self._count(push)
        faults = Faults(record.faults)
        for deviation in deviations:
            if deviation.cause is not None:
                self.explained[deviation.rule, deviation.cause] += 1
            else:
                self.found[deviation.rule] += 1
                if len(self.findings) < TOLD:
                    self.findings.append("\n".join(_told(deviation, faults)))
        if self.found:
            self.struck += [f"  {each.began:.1f} to {each.ended:.1f}: {each.kind}" for each in record.faults]

    def _count(self, push: Push) -> None:
        self.behaviours.update(each.behaviour.partition("(")[0] for each in push.requests if each.behaviour)
        self.answers.update(answer.said for answer in push.answers)
        self.counts["push_req"] += 1
        self.counts["not confirmed by the broker"] += push.fate is not Fate.TAKEN
        self.counts["requests at providers"] += len(push.requests)
        self.counts["accepted"] += bool(push.accepted_at)
        self.counts["accepted more than once"] += len(push.accepted_at) > 1
        self.counts["not answered"] += not push.answers

    def lines(self) -> Iterator[str]:
        """Yield the report."""
        yield from _table("Faults", self.faults.items())
        yield from _table("Requests that met a behaviour", self.behaviours.items())
        yield from _table("Pushes", self.counts.items())
        yield from _table("Answers", self.answers.items())
        yield from _table("Explained", ((f"{rule}: {cause}", times) for (rule, cause), times in self.explained.items()))
        yield f"Unexplained: {self.found.total()}"
        yield from (f"{times:8}  {rule}" for rule, times in self.found.items())
        yield from self.findings
        if self.found.total() > len(self.findings):
            yield f"... and {self.found.total() - len(self.findings)} more"
        yield from self.struck


def _table(title: str, rows: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield f"{title}:"
    for name, times in sorted(rows, key=lambda row: (-row[1], row[0])):
        yield f"{times:8}  {name}"


def _told(deviation: Deviation, faults: Faults) -> Iterator[str]:
    yield f"\nNOT EXPLAINED: {deviation.rule}: {deviation.what}"
    push = deviation.push
    if push is None:
        return
    yield f"  Msg-ID {push.msg_id}, {push.call_id}, device {push.device}, {push.provider}, expected {push.expect}"
    told = [(push.published_at, f"push_req published, {push.fate}")]
    told += [(at, "ACCEPTED") for at in push.accepted_at]
    told += [(answer.at, f"push_resp: {answer.said}") for answer in push.answers]
    told += [(each.at, f"phone registers by this push, {each.fate}") for each in push.wakeups]
    told += [(line.at, f"{line.process}:{line.text}") for line in push.lines]
    for request in push.requests:
        what = request.behaviour or "the right thing"
        told.append((request.at, f"request at the provider: {what}, answered {request.status}"))
        if request.connection_closed_at is not None:
            told.append((request.connection_closed_at, "its connection ended"))
    for fault in faults.around(push):
        told += [(fault.began, f"FAULT {fault.kind}"), (fault.ended, f"FAULT {fault.kind} over")]
    for at, what in sorted(told):
        yield f"  {at - push.published_at:+8.3f} s  {what}"
