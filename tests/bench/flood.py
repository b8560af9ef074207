"""Benchmark 9: calls while registrations come in a flood, beside the same calls without one, in turns.

Run as a module it is the flood: `python -m tests.bench.flood BUS_URL PER_SECOND PUSHING`, until SIGTERM.
"""

import itertools
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.bench.fleet import load
from tests.bench.lab import ROOT, THEIRS, Lab, Process, Site
from tests.bench.messages import Bus, desk_phone, push_req, reg_success
from tests.bench.proxy import paced
from tests.bench.result import Goal, Result, Table, percentile
from tests.support.until import until

CALLS_PER_S, REGISTRATIONS_PER_S = 50, 2000
QUEUE = "pusher.reg_success"
_IDLE = "no registrations"
#: Of ten phones that register, how many push; none of them changed. In the field, most are desk phones.
_FLOODS = {"2,000/s, 3 of 10 push": 3, "2,000/s, all push": 10}
_DEVICES = 500
_PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def run(lab: Lab) -> Result:
    """Measure."""
    rounds, calls = (1, 60) if lab.quick else (2, 300)
    found: dict[str, list[float]] = {what: [] for what in (_IDLE, *_FLOODS)}
    left: dict[str, int] = dict.fromkeys(found, 0)
    cores: dict[str, dict[str, float]] = {what: defaultdict(float) for what in found}
    with lab.fresh() as site:
        load(lab.redis.url, range(_DEVICES + calls))
        ours = site.start_listener(), site.start_worker()
        bus = Bus(site.bus_url)
        _latencies(lab, bus, 20)
        for _ in range(rounds):
            for what in found:
                with _flood(site, _FLOODS.get(what)) as flood:
                    with _cores_used(lab, [*ours, *flood], cores[what]):
                        found[what] += _latencies(lab, bus, calls)
                    left[what] = max(left[what], bus.depth(QUEUE))
                until(lambda: bus.depth(QUEUE) == 0, what="registrations")
        bus.close()
    rows = [
        (what, *(1000 * percentile(seconds, share) for share in _PERCENTILES.values()), left[what])
        for what, seconds in found.items()
    ]
    title = f"Milliseconds from push_req to the provider at {CALLS_PER_S} calls/s; listener and worker on one core"
    columns = ("registrations", *_PERCENTILES, "left in the queue, at most")
    return Result(
        name="flood",
        title="Calls under a flood of registrations",
        tables=[Table(title=title, columns=columns, rows=rows), _cores_table(cores)],
        goals=[
            Goal(
                text=f"p99 under {what} per p99 without",
                value=percentile(found[what], 0.99) / percentile(found[_IDLE], 0.99),
                kind="most",
                limit=2.0,
            )
            for what in _FLOODS
        ],
        figures={"flood_p99_ms": 1000 * percentile(found[next(iter(_FLOODS))], 0.99)},
    )


def _latencies(lab: Lab, bus: Bus, calls: int) -> list[float]:
    """Return the seconds from each push_req to its request at the provider."""
    requests = [push_req(_DEVICES + number) for number in range(calls)]
    asked: dict[str, float] = {}

    def ask(number: int) -> None:
        asked[requests[number]["Call-ID"]] = time.monotonic()
        bus.push_req(requests[number])

    lab.provider.tell("note 1")
    paced(range(calls), CALLS_PER_S, ask)
    until(lambda: len(lab.provider.tell("arrivals")) == calls, what="pushes")
    arrivals = lab.provider.tell("arrivals")
    return [arrivals[call] - at for call, at in asked.items()]


@contextmanager
def _cores_used(lab: Lab, processes: Sequence[Process], used: dict[str, float]) -> Iterator[None]:
    """Add to `used` the CPU seconds of each process and server meanwhile, and under "seconds" how long that was."""

    def now() -> dict[str, float]:
        of_processes = {process.name.split("-")[0]: process.usage.cpu_s for process in processes}
        return {"seconds": time.monotonic(), **of_processes, **lab.servers_cpu_s, "benchmark": time.process_time()}

    before = now()
    yield
    for name, value in now().items():
        used[name] += value - before[name]


def _cores_table(cores: Mapping[str, Mapping[str, float]]) -> Table:
    """Return how much of a core everybody used."""
    names = list(dict.fromkeys(name for used in cores.values() for name in used if name != "seconds"))
    rows = [(what, *(used.get(name, 0.0) / used["seconds"] for name in names)) for what, used in cores.items()]
    return Table(
        title="Cores used; listener and worker share one, all others the rest", columns=("", *names), rows=rows
    )


@contextmanager
def _flood(site: Site, pushing: int | None) -> Iterator[list[Process]]:
    """Have registrations come meanwhile, `pushing` of ten from phones that push; none for None. Yields who sends."""
    if pushing is None:
        yield []
        return
    command = [sys.executable, "-m", "tests.bench.flood", site.bus_url, str(REGISTRATIONS_PER_S), str(pushing)]
    process = site.lab.start("flood", command, {**os.environ, "PYTHONPATH": str(ROOT)}, THEIRS)
    until(lambda: "flowing" in process.log.read_text(), what="flood")
    try:
        yield [process]
    finally:
        process.stop()


def _main(bus_url: str, per_second: int, pushing: int) -> None:
    bus = Bus(bus_url)
    messages = [(reg_success if number % 10 < pushing else desk_phone)(number) for number in range(_DEVICES)]
    bus.reg_success(messages[0])
    print("flowing", flush=True)
    paced(itertools.count(), per_second, lambda number: bus.reg_success(messages[number % _DEVICES]))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
