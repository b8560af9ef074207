"""Benchmark 7: what a push or a registration costs as apps, devices and worker processes become more."""

import random
from collections.abc import Callable, Sequence

from tests.bench.drain import Drained, drain
from tests.bench.fleet import load
from tests.bench.lab import OURS, THEIRS, Lab, Process, Site
from tests.bench.listener_registrations import QUEUE
from tests.bench.messages import Bus, enqueue, push_req, reg_success
from tests.bench.queues import declare_bus
from tests.bench.result import Goal, Plot, Result, Table

#: One for each worker, one for RabbitMQ, one for the rest.
_CORES_FOR_TWO = 4


def run(lab: Lab) -> Result:
    """Measure."""
    rounds = 1 if lab.quick else 2
    apps = {number: _best(rounds, lambda number=number: _pushes(lab, number)) for number in (1, 50, 200)}
    sizes = (100, 10_000) if lab.quick else (100, 10_000, 1_000_000)
    devices = {number: _registrations(lab, number, rounds) for number in sizes}
    processes = {number: _best(rounds, lambda number=number: _processes(lab, number)) for number in (1, 2)}
    fewest, most = min(devices), max(devices)
    return Result(
        name="growth",
        title="Growth",
        tables=[
            _table("Apps, each with a key and so a connection of its own; one worker, one core", "apps", apps),
            _table("Devices known in Redis; unchanged registrations, one listener, one core", "devices", devices),
            _table("Worker processes, on all cores together with the servers", "processes", processes),
        ],
        goals=[
            Goal(text="CPU a push, 200 apps per 1", value=_ratio(apps, 200, 1), kind="most", limit=1.2),
            Goal(
                text=f"CPU a registration, {most} devices per {fewest}",
                value=_ratio(devices, most, fewest),
                kind="most",
                limit=1.2,
            ),
            *_two_processes(processes),
        ],
        plots=[
            Plot(
                name="growth",
                title="Cost by size",
                x_label="apps, or devices",
                y_label="CPU microseconds",
                curves={
                    "push, by apps": [(number, each.cpu_us) for number, each in apps.items()],
                    "unchanged registration, by devices": [(number, each.cpu_us) for number, each in devices.items()],
                },
            )
        ],
        notes=[_bound(processes)],
        figures={
            "two_processes_ratio": processes[2].rate / processes[1].rate,
            "apps_ratio": _ratio(apps, 200, 1),
            "devices_ratio": _ratio(devices, most, fewest),
            "devices_most": float(most),
        },
    )


def _two_processes(found: dict[int, Drained]) -> list[Goal]:
    """Return the goal, where there are cores for two workers and for the servers that feed them."""
    if len(OURS | THEIRS) < _CORES_FOR_TWO:
        return []
    value = found[2].rate / found[1].rate
    return [Goal(text="Pushes of two processes per one", value=value, kind="least", limit=1.7)]


def _bound(found: dict[int, Drained]) -> str:
    """Return what two processes and the servers used of the cores."""
    two = found[2]
    workers, servers = two.rate * two.cpu_us / 1e6, sum(two.shares.values())
    return (
        f"Two worker processes made {two.rate / found[1].rate:.2f} times the pushes of one. They used {workers:.2f} "
        f"cores and the servers {servers:.2f}, of {len(OURS | THEIRS)} that the benchmark, which asks for the depth of "
        f"the queue, has a part in as well. With fewer than {_CORES_FOR_TWO} cores the cores are the bound, and no "
        "goal is set."
    )


def _best(rounds: int, measure: Callable[[], Drained]) -> Drained:
    """Return the cheapest of some rounds: what else the machine does only adds to it."""
    return min((measure() for _ in range(rounds)), key=lambda each: each.cpu_us)


def _ratio(found: dict[int, Drained], more: int, less: int) -> float:
    return found[more].cpu_us / found[less].cpu_us


def _table(title: str, what: str, found: dict[int, Drained]) -> Table:
    servers = ("RabbitMQ", "Redis", "provider")
    return Table(
        title=title,
        columns=(what, "messages/s", "CPU us", *servers),
        rows=[
            (number, each.rate, each.cpu_us, *(each.shares[name] for name in servers)) for number, each in found.items()
        ],
    )


def _pushes(lab: Lab, apps: int) -> Drained:
    tasks = 1500 if lab.quick else 4000
    with lab.fresh(apps=apps) as site:
        return _drained(site, tasks, lambda: [site.start_worker()], apps)


def _processes(lab: Lab, number: int) -> Drained:
    tasks = 1500 if lab.quick else 6000
    with lab.fresh() as site:
        return _drained(site, tasks, lambda: [site.start_worker(cores=OURS | THEIRS) for _ in range(number)], 1)


def _drained(site: Site, tasks: int, start: Callable[[], Sequence[Process]], apps: int) -> Drained:
    enqueue(site, (push_req(number, app=number % apps) for number in range(tasks)))
    bus = Bus(site.bus_url)
    try:
        return drain(site.lab, bus, "push.apple", tasks, start)
    finally:
        bus.close()


def _registrations(lab: Lab, devices: int, rounds: int) -> Drained:
    rng = random.Random(devices)
    with lab.fresh() as site:
        declare_bus(site.bus_url)
        load(lab.redis.url, range(devices))
        bus = Bus(site.bus_url)

        def measure() -> Drained:
            messages = 4000 if lab.quick else 10_000
            # What the round before had in hand when it was stopped came back.
            bus.purge(QUEUE)
            for _ in range(messages):
                bus.reg_success(reg_success(rng.randrange(devices)))
            drained = drain(lab, bus, QUEUE, messages, lambda: [site.start_listener()])
            lab.stop_all()
            return drained

        try:
            return _best(rounds, measure)
        finally:
            bus.close()
