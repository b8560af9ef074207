"""`scripts/bench`: runs the benchmarks, prints their tables, keeps them as JSON, makes the performance page of them."""

import importlib
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from pusher.clock import utcnow
from tests.bench.lab import ROOT, Lab
from tests.bench.report import write_report
from tests.bench.result import Result, Run, machine, printed

NAMES = (
    "send_path",
    "worker",
    "listener_calls",
    "listener_registrations",
    "latency",
    "waiting",
    "growth",
    "start",
)
#: Only when named: what it measures is not good enough yet to stand on the page.
NAMED_ONLY = ("flood",)
#: What a run found, for `--report`; git ignores it.
KEPT = ROOT / "bench.json"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice((*NAMES, *NAMED_ONLY)))
@click.option("--quick", is_flag=True, help="A tenth of the work: shows that they run; the figures mean little.")
@click.option("--report", is_flag=True, help="Make docs/performance.md of what was measured last, measuring nothing.")
@click.option("--json", "path", type=click.Path(path_type=Path), default=KEPT, help="Where results are kept.")
def main(names: tuple[str, ...], quick: bool, report: bool, path: Path) -> None:
    """Measure Pusher beside its floors and its peers, in one run on this machine.

    \b
    Examples:
      scripts/bench                      all eight, about 13 minutes
      scripts/bench send_path worker     these two; the results of the others stay as they are
      scripts/bench --report             make docs/performance.md of the results
    """
    if report:
        run = Run.read(path)
        write_report(replace(run, results=[each for each in run.results if each.name in NAMES]), ROOT / "docs")
        return
    kept = {result.name: result for result in Run.read(path).results} if names and path.exists() else {}
    with Lab(quick=quick) as lab:
        for name in names or NAMES:
            kept[name] = _measured(lab, name)
            results = [kept[each] for each in (*NAMES, *NAMED_ONLY) if each in kept]
            Run(machine=machine(), at=f"{utcnow():%Y-%m-%d %H:%M}", results=results).write(path)
    missed = [goal for result in kept.values() for goal in result.goals if not goal.holds]
    print(f"{len(missed)} goals missed; kept in {path}")


def _measured(lab: Lab, name: str) -> Result:
    print(f"{name} ...", file=sys.stderr, flush=True)
    began = time.monotonic()
    result: Result = importlib.import_module(f"tests.bench.{name}").run(lab)
    print(f"{printed(result)}\n  ({time.monotonic() - began:.0f} s)\n", flush=True)
    return result


if __name__ == "__main__":
    main(prog_name="scripts/bench")
