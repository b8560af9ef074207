"""`scripts/fuzz`: runs fuzz targets, each in a process of its own, and adds up what they executed."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.table import TARGETS
from tests.fuzz.target import KEPT

#: Git ignores it: the corpus that grows, findings, logs, and how many inputs were executed so far.
STATE = Path(".fuzz")
TOTALS = STATE / "executions.json"
#: libFuzzer prints the number of the input in hand with each event.
EVENT = re.compile(r"^#(\d+)\t", re.MULTILINE)
#: Seconds of wall time after which an input hangs; the thread's own time is limited by `Target.run`.
HANG_S = 20
RSS_LIMIT_MB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the run of one target ended."""

    name: str
    executed: int
    seconds: float
    findings: tuple[Path, ...]
    #: Whether the process ended by itself and in order.
    sound: bool


class Campaign:
    """The processes of one call."""

    def __init__(self, *, runs: int | None, seconds: float) -> None:
        self._runs = runs
        self._seconds = seconds
        self._children: list[subprocess.Popen[bytes]] = []

    def run(self, name: str) -> Result:
        """Fuzz one target until its share is used up or something is found."""
        folder = STATE / name
        for part in ("corpus", "findings"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        before = set((folder / "findings").iterdir())
        began = time.monotonic()
        with (folder / "log").open("wb") as log:
            child = subprocess.Popen(self._command(name, folder), stdout=log, stderr=log)
            self._children.append(child)
            status = child.wait()
        said = (folder / "log").read_text(errors="replace")
        return Result(
            name=name,
            executed=max((int(number) for number in EVENT.findall(said)), default=0),
            seconds=time.monotonic() - began,
            findings=tuple(sorted(set((folder / "findings").iterdir()) - before)),
            sound=status == 0,
        )

    def end(self) -> None:
        """End the processes that still run."""
        for child in self._children:
            if child.poll() is None:
                child.terminate()

    def _command(self, name: str, folder: Path) -> list[str]:
        kept = [str(KEPT / name)] if (KEPT / name).is_dir() else []
        return [
            *(sys.executable, "-m", "tests.fuzz.one_target", name),
            f"-artifact_prefix={folder / 'findings'}/",
            f"-max_len={TARGETS[name].max_length}",
            f"-timeout={HANG_S}",
            f"-rss_limit_mb={RSS_LIMIT_MB}",
            f"-max_total_time={max(1, int(self._seconds))}",
            f"-runs={-1 if self._runs is None else self._runs}",
            str(folder / "corpus"),
            *kept,
        ]


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    options = _options()
    if options.replay is not None:
        name, path = options.replay
        TARGETS[name].run(Path(path).read_bytes())
        print("nothing wrong with this input")
        return 0
    names = options.targets or list(TARGETS)
    campaign = Campaign(
        runs=None if options.runs is None else max(1, options.runs // len(names)),
        seconds=_seconds_each(options, len(names)),
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = []
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            for result in pool.map(campaign.run, names):
                results.append(result)
                _tell(result, _added(result))
    except KeyboardInterrupt:
        campaign.end()
        return 130
    print(f"{'all':16} {sum(result.executed for result in results):>12,} executions, {_so_far():,} so far")
    return int(any(result.findings or not result.sound for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; else all")
    parser.add_argument("--minutes", type=float, help="in all, the targets share them; 10 unless given")
    parser.add_argument("--runs", type=int, help="executions in all, the targets share them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time; one per core")
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"), help="run one input, without atheris")
    options = parser.parse_args()
    unknown = set(options.targets) | set((options.replay or [])[:1])
    if unknown - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown - set(TARGETS)))}")
    return options


def _seconds_each(options: argparse.Namespace, count: int) -> float:
    if options.minutes is None and options.runs is not None:
        return 365 * 86_400
    return float(60 * (10 if options.minutes is None else options.minutes) * min(options.jobs, count) / count)


def _added(result: Result) -> int:
    """Add to the target's executions, and return how many there were in all."""
    totals = _totals()
    totals[result.name] = totals.get(result.name, 0) + result.executed
    TOTALS.write_text(json.dumps(totals, indent=1))
    return totals[result.name]


def _so_far() -> int:
    return sum(_totals().values())


def _totals() -> dict[str, int]:
    return dict(json.loads(TOTALS.read_text())) if TOTALS.exists() else {}


def _tell(result: Result, so_far: int) -> None:
    rate = result.executed / max(result.seconds, 0.001)
    print(f"{result.name:16} {result.executed:>12,} executions, {rate:>7,.0f} a second, {so_far:,} so far", flush=True)
    for path in result.findings:
        print(f"  FOUND {path}\n  replay: scripts/fuzz --replay {result.name} {path}")
    if not result.sound and not result.findings:
        print(f"  its process failed: see {STATE / result.name / 'log'}")


if __name__ == "__main__":
    sys.exit(main())
