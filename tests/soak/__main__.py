"""`scripts/soak`: calls by the thousand while everything fails around them; afterwards the ledger must reconcile."""

import math
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from tests.soak.ledger import reconcile
from tests.soak.plan import Plan
from tests.soak.record import FaultRecord
from tests.soak.report import Summary
from tests.soak.world import own_world

#: Seconds after which a round is settled and reconciled, so that no more of them has to be kept.
ROUND_S = 180.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", type=click.FloatRange(min=0.2), default=10.0, show_default=True, help="Length of the load.")
@click.option("--seed", type=int, help="Repeats the plan of a run; chosen and told where it is not given.")
@click.option("--logs", type=click.Path(path_type=Path, file_okay=False), help="A new folder to keep the logs in.")
def main(minutes: float, seed: int | None, logs: Path | None) -> None:
    """Send pushes and registrations while faults strike, and see that the ledger reconciles.

    \b
    Examples:
      scripts/soak                          ten minutes
      scripts/soak --minutes 3 --seed 7     the plan of seed 7
    """
    seed = random.randrange(10**6) if seed is None else seed
    rounds = math.ceil(minutes * 60 / ROUND_S)
    command = f"scripts/soak --minutes {minutes:g} --seed {seed}"
    print(f"seed {seed}; to repeat it: {command}", flush=True)
    summary = Summary()
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True)

    with ExitStack() as stack:
        if logs is None:
            logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pusher-soak-")))
        logs.mkdir(parents=True, exist_ok=True)
        world = stack.enter_context(own_world(logs))
        # A token that dies in one round may have lost its owner in any round before.
        before: tuple[FaultRecord, ...] = ()
        for number in range(rounds):
            plan = Plan.of(seed, minutes * 60 / rounds, round_number=number)
            say(f"round {number + 1} of {rounds}: {len(plan.steps)} steps, {len(plan.strikes)} faults")
            record = world.round(plan, say)
            summary.add(record, reconcile(replace(record, faults=(*before, *record.faults))))
            before += record.faults
            say(f"reconciled: {summary.found.total()} unexplained so far")
    print("\n".join(summary.lines()), flush=True)
    if summary.found:
        print(f"\nto repeat it: {command}")
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="scripts/soak")
