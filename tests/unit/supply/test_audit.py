"""An audit passes only if every version was looked up by somebody who knows of vulnerable ones."""

import json

import pytest

from tests.supply.audit import CLEAN, FINDINGS, UNKNOWN, Answer, verdict

LOCKED = frozenset({"a", "b"})
PROBE = Answer(findings=("jinja2 2.10: X, mended in 2.10.1",), audited=frozenset({"jinja2"}))


def test_what_pip_audit_writes_is_read() -> None:
    bad = {"id": "PYSEC-1", "fix_versions": ["2", "3"], "aliases": ["CVE-1"]}
    dependencies = [
        {"name": "a", "version": "1", "vulns": [bad]},
        {"name": "b", "skip_reason": "Dependency not found"},
        {"name": "c", "version": "1", "vulns": []},
    ]
    answer = Answer.of(json.dumps({"dependencies": dependencies, "fixes": []}), "Found 1 known vulnerability")
    expected = ("a 1: PYSEC-1 CVE-1, mended in 2, 3",)
    assert answer == Answer(findings=expected, audited=frozenset({"a", "c"}))


@pytest.mark.parametrize("stdout", ["", "Traceback", "{}", "[1"])
def test_a_pip_audit_that_failed_is_quoted_with_its_last_line(stdout: str) -> None:
    assert Answer.of(stdout, "Traceback\n  File\nConnectionError: no route\n\n").problem == "ConnectionError: no route"


@pytest.mark.parametrize(
    ("answer", "probe", "status", "words"),
    [
        (Answer(audited=LOCKED), PROBE, CLEAN, "2 locked versions"),
        (Answer(audited=LOCKED, findings=("a 1: X",)), PROBE, FINDINGS, "a 1: X"),
        (Answer(audited=frozenset({"a"}), findings=("a 1: X",)), Answer(problem="p"), FINDINGS, "a 1: X"),
        (Answer(problem="no route"), Answer(problem="no route"), UNKNOWN, "no route"),
        (Answer(audited=frozenset({"a"})), PROBE, UNKNOWN, "does not know 1 of 2 packages, such as b"),
        (Answer(audited=LOCKED), Answer(audited=frozenset({"jinja2"})), UNKNOWN, "silence about others"),
        (Answer(audited=LOCKED), Answer(problem="timed out"), UNKNOWN, "timed out"),
    ],
)
def test_silence_is_no_pass(answer: Answer, probe: Answer, status: int, words: str) -> None:
    found, text = verdict(answer, probe, LOCKED)
    assert found == status
    assert words in text
