"""Runs `pusher check` and reads what it says."""

import json
from typing import Any

from tests.unit.cli.running import Pusher

Findings = dict[str, dict[str, Any]]

#: What fails as long as no listener and no worker runs, as in most of these tests.
STOPPED = {"queue pusher.push_req", "queue push.apple", "queue push.firebase"}


def checked(pusher: Pusher, *args: str, **environment: str) -> Findings:
    """Return the findings by subject, after seeing that exit status and standard error agree with them."""
    result = pusher("check", "--json", *args, env=environment)
    found = json.loads(result.stdout)
    failures = sum(finding["status"] == "failed" for finding in found)
    assert result.exit_code == (1 if failures else 0)
    assert result.stderr == (f"Error: {failures} of the above failed\n" if failures else "")
    findings = {finding["subject"]: finding for finding in found}
    assert len(findings) == len(found), "a subject is told twice"
    return findings


def bad(findings: Findings, status: str = "failed") -> set[str]:
    """Return the subjects with `status`, without those that have it because nothing runs."""
    idle = {subject for subject in STOPPED if findings.get(subject, {}).get("facts", {}).get("consumers") == 0}
    return {subject for subject, finding in findings.items() if finding["status"] == status} - idle


def verdicts(said: str) -> dict[str, str]:
    """Return `ok`, `warn` or `FAILED` by subject, of the lines for people."""
    words = [line.split(maxsplit=1) for line in said.splitlines()]
    return {rest.partition(": ")[0]: verdict for verdict, rest in words}
