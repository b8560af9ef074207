"""What `pusher check` found out about one subject: a line for people, an object for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import click

from pusher.cli.table import printable

#: What a machine may read beside the text.
Fact = str | float | bool | None | list[str]


class Status(StrEnum):
    """How it stands, from good to bad."""

    OK = "ok"
    #: Worth a look; it does not change the exit status.
    WARN = "warn"
    FAILED = "failed"


#: How a line begins.
_WORDS = {Status.OK: "ok", Status.WARN: "warn", Status.FAILED: "FAILED"}
_COLOURS = {Status.OK: None, Status.WARN: "yellow", Status.FAILED: "red"}
_ORDER = list(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `pusher check`."""

    subject: str
    status: Status
    #: What was found and, where it is wrong, what to do.
    text: str
    facts: Mapping[str, Fact]

    def to_line(self) -> str:
        """Return the line, safe for a terminal; the verdict stands out there."""
        verdict = click.style(f"{_WORDS[self.status]:6}", fg=_COLOURS[self.status])
        return f"{verdict}  {printable(self.subject)}: {printable(self.text)}"

    def to_json(self) -> dict[str, object]:
        """Return the object that docs/reference/commands.md describes."""
        return {
            "subject": self.subject,
            "status": str(self.status),
            "text": printable(self.text),
            "facts": dict(self.facts),
        }


def ok(subject: str, text: str, **facts: Fact) -> Finding:
    """Return a finding that nothing is wrong."""
    return Finding(subject=subject, status=Status.OK, text=text, facts=facts)


def warn(subject: str, text: str, **facts: Fact) -> Finding:
    """Return a finding that somebody should look at."""
    return Finding(subject=subject, status=Status.WARN, text=text, facts=facts)


def failed(subject: str, text: str, **facts: Fact) -> Finding:
    """Return a finding that something is wrong."""
    return Finding(subject=subject, status=Status.FAILED, text=text, facts=facts)


#: One of several things to say about a subject.
Note = tuple[Status, str]


def joined(subject: str, notes: Sequence[Note], facts: Mapping[str, Fact]) -> Finding:
    """Return one finding of all `notes`, the worst first, as bad as the worst of them."""
    ordered = sorted(notes, key=lambda note: -_ORDER.index(note[0]))
    return Finding(subject=subject, status=ordered[0][0], text="; ".join(text for _, text in ordered), facts=facts)
