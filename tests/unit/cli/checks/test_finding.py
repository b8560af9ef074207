"""A finding as a line and as an object."""

import pytest

from pusher.cli.checks.finding import Finding, Note, Status, failed, joined, ok, warn


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (ok("bus", "reached"), "ok      bus: reached"),
        (warn("canary", "not sent"), "warn    canary: not sent"),
        (failed("a\x1b[2Jb", "c\nd"), "FAILED  a\\x1b[2Jb: c\\nd"),
    ],
)
def test_a_line_begins_with_the_verdict_and_cannot_be_forged(finding: Finding, line: str) -> None:
    assert Finding.to_line(finding).replace("\x1b[33m", "").replace("\x1b[31m", "").replace("\x1b[0m", "") == line


def test_an_object_has_four_keys() -> None:
    assert warn("redis", "old\x07", ms=1.5).to_json() == {
        "subject": "redis",
        "status": "warn",
        "text": "old\\x07",
        "facts": {"ms": 1.5},
    }


@pytest.mark.parametrize(
    ("notes", "status", "text"),
    [
        ([(Status.OK, "a"), (Status.OK, "b")], Status.OK, "a; b"),
        ([(Status.OK, "a"), (Status.FAILED, "b"), (Status.WARN, "c")], Status.FAILED, "b; c; a"),
    ],
)
def test_what_is_worst_comes_first_and_decides(notes: list[Note], status: Status, text: str) -> None:
    finding = joined("app", notes, {})
    assert (finding.status, finding.text) == (status, text)
