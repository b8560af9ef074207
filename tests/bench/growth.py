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


def run(lab: Lab) -> Result:
    """Measure."""
    rounds = 1 if lab.quick else 3
    apps = {number: _best(rounds, lambda number=number: _pushes(lab, number)) for number in (1, 10, 50, 200)}
    sizes = (100, 10_000) if lab.quick else (100, 10_000, 1_000_000)
    devices = {number: _best(1, lambda number=number: _registrations(lab, number)) for number in sizes}
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
            Goal(
                text="Pushes of two processes per one",
                value=processes[2].rate / processes[1].rate,
                kind="least",
                limit=1.7,
            ),
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
        notes=[
            f"Two worker processes share {len(OURS | THEIRS)} cores with RabbitMQ, Redis, the provider and the "
            "benchmark itself: their shares add up to what is left."
        ],
        figures={
            "two_processes_ratio": processes[2].rate / processes[1].rate,
            "apps_ratio": _ratio(apps, 200, 1),
            "devices_ratio": _ratio(devices, most, fewest),
            "devices_most": float(most),
        },
    )


def _best(rounds: int, measure: Callable[[], Drained]) -> Drained:
    """Return the middle one of some rounds, by CPU time."""
    found = sorted((measure() for _ in range(rounds)), key=lambda each: each.cpu_us)
    return found[len(found) // 2]


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


def _registrations(lab: Lab, devices: int) -> Drained:
    messages = 4000 if lab.quick else 10_000
    rng = random.Random(devices)
    with lab.fresh() as site:
        declare_bus(site.bus_url)
        load(lab.redis.url, range(devices))
        bus = Bus(site.bus_url)
        try:
            for _ in range(messages):
                bus.reg_success(reg_success(rng.randrange(devices)))
            return drain(lab, bus, QUEUE, messages, lambda: [site.start_listener()])
        finally:
            bus.close()
