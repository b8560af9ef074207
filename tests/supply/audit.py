"""Asks an advisory service about every locked version, through pip-audit, and says which of three things came out.

Silence is no pass: pip-audit calls versions that the service does not know "no known vulnerabilities", and so would a
mirror that answers nothing to everything. So every version must have been looked up, and a version that is known to be
vulnerable must be reported as such.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from tests.supply.declared import LOCKED, read_lock

CLEAN, FINDINGS, UNKNOWN = 0, 1, 3
#: Advisories against it stand since 2019. It will never be in a lock.
_VULNERABLE = "jinja2==2.10"

_PIP_AUDIT = [sys.executable, "-m", "pip_audit", "--disable-pip", "--format=json", "--desc=off"]
_OPTIONS = ["--progress-spinner=off", "--vulnerability-service=osv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What pip-audit found out about a list of versions."""

    #: Lines about vulnerabilities.
    findings: tuple[str, ...] = ()
    #: Names that were looked up.
    audited: frozenset[str] = frozenset()
    #: Its last words, where it found out nothing.
    problem: str | None = None

    @classmethod
    def of(cls, stdout: str, stderr: str) -> "Answer":
        """Return what pip-audit wrote; its exit status is 1 for findings and for its own failures alike."""
        try:
            dependencies = json.loads(stdout)["dependencies"]
        except (ValueError, KeyError):
            words = [line for line in stderr.splitlines() if line.strip()]
            return cls(problem=words[-1].strip() if words else "pip-audit said nothing")
        audited = [each for each in dependencies if "skip_reason" not in each]
        return cls(
            findings=tuple(_line(each, found) for each in audited for found in each["vulns"]),
            audited=frozenset(each["name"] for each in audited),
        )


def _line(dependency: dict, found: dict) -> str:
    names = " ".join([found["id"], *found.get("aliases", [])])
    mended = ", ".join(found["fix_versions"]) or "no version"
    return f"{dependency['name']} {dependency['version']}: {names}, mended in {mended}"


def verdict(answer: Answer, probe: Answer, locked: Set[str]) -> tuple[int, str]:
    """Return exit status and what to print, from the answers about the `locked` versions and about `_VULNERABLE`."""
    problem = answer.problem or probe.problem
    unknown = sorted(locked - answer.audited)
    if answer.findings:
        lines = [*answer.findings, "FINDINGS: run `scripts/lock NAME`, or judge and answer for them."]
        return FINDINGS, "\n".join(lines)
    if problem is None and unknown:
        problem = f"it does not know {len(unknown)} of {len(locked)} packages, such as {unknown[0]}"
    if problem is None and not probe.findings:
        problem = f"it has nothing against {_VULNERABLE}, so its silence about others means nothing"
    if problem is not None:
        return (
            UNKNOWN,
            f"NOT AUDITED: the advisory service cannot be reached from here, or gives no answers.\n{problem}",
        )
    return CLEAN, f"clean: nothing is known against the {len(locked)} locked versions."


def _ask(requirements: str, *options: str) -> Answer:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "requirements.txt")
        path.write_text(requirements)
        command = [*_PIP_AUDIT, f"--requirement={path}", *_OPTIONS, *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    return Answer.of(done.stdout, done.stderr)


def main(options: list[str]) -> int:
    """Audit all locks, with `options` for pip-audit."""
    locked = {name: entry for extra in LOCKED for name, entry in read_lock(extra).items()}
    answer = _ask("\n".join(map(str, locked.values())), "--require-hashes", *options)
    # Asked even if the first answer has findings or is none: one line either way.
    probe = _ask(_VULNERABLE, "--no-deps", *options)
    status, text = verdict(answer, probe, locked.keys())
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
