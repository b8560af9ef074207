"""Benchmark 2: pushes that one worker process sends from a full queue, beside the same worker running an empty task."""

from tests.bench.drain import Drained, drain, shares
from tests.bench.lab import Lab
from tests.bench.messages import Bus, enqueue, push_req
from tests.bench.result import Goal, Result, Table, median

#: Task name, and the Celery app whose worker runs it.
_KINDS = {"empty task": ("bench.empty", "tests.bench.empty_worker"), "push": ("pusher.push.deliver", "tasks.app")}


def run(lab: Lab) -> Result:
    """Measure."""
    tasks, rounds = (1000, 1) if lab.quick else (5000, 3)
    found: dict[str, list[Drained]] = {kind: [] for kind in _KINDS}
    for _ in range(rounds):
        for kind in _KINDS:
            found[kind].append(_round(lab, kind, tasks))
    rates = {kind: median([each.rate for each in drained]) for kind, drained in found.items()}
    cpu_us = {kind: median([each.cpu_us for each in drained]) for kind, drained in found.items()}
    rows = [
        (kind, rates[kind], cpu_us[kind], rates[kind] / rates["empty task"], *shares(found[kind])) for kind in _KINDS
    ]
    return Result(
        name="worker",
        title="Worker: pushes of one process",
        tables=[
            Table(
                title=f"One worker process, 100 threads, one core; {tasks} tasks, median of {rounds}",
                columns=("task", "tasks/s", "CPU us", "of empty", "RabbitMQ", "Redis", "provider"),
                rows=rows,
            )
        ],
        goals=[Goal(text="Pushes per empty task", value=rates["push"] / rates["empty task"], kind="least", limit=0.4)],
        notes=["The last columns are CPU seconds a second of each server: 1 would be a full core."],
        figures={
            "pushes_per_s": rates["push"],
            "push_cpu_us": cpu_us["push"],
            "empty_per_s": rates["empty task"],
            "empty_cpu_us": cpu_us["empty task"],
        },
    )


def _round(lab: Lab, kind: str, tasks: int) -> Drained:
    name, app = _KINDS[kind]
    with lab.fresh() as site:
        enqueue(site, (push_req(number) for number in range(tasks)), task=name)
        bus = Bus(site.bus_url)
        try:
            return drain(lab, bus, "push.apple", tasks, lambda: [site.start_worker(app=app)])
        finally:
            bus.close()
