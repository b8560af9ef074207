"""Benchmark 2: pushes that one worker process sends from a full queue, beside the same worker running an empty task."""

from tests.bench.drain import Comparison, Drained, drain
from tests.bench.lab import Lab
from tests.bench.messages import Bus, enqueue, push_req
from tests.bench.result import Goal, Result

_EMPTY, _PUSH = "empty task", "push"
#: Task name, and the Celery app whose worker runs it.
_KINDS = {_EMPTY: ("bench.empty", "tests.bench.empty_worker"), _PUSH: ("pusher.push.deliver", "tasks.app")}


def run(lab: Lab) -> Result:
    """Measure."""
    tasks, rounds = (1000, 1) if lab.quick else (5000, 3)
    found = Comparison(_KINDS, rounds, lambda kind: _round(lab, kind, tasks))
    return Result(
        name="worker",
        title="Worker",
        tables=[
            found.table(f"One worker process, 100 threads, one core; {tasks} tasks, median of {rounds}", "task", _EMPTY)
        ],
        goals=[Goal(text="Pushes per empty task", value=found.ratio(_PUSH, _EMPTY), kind="least", limit=0.4)],
        notes=["The last columns are CPU seconds a second of each server: 1 would be a full core."],
        figures={
            "pushes_per_s": found.rate(_PUSH),
            "push_cpu_us": found.cpu_us(_PUSH),
            "empty_cpu_us": found.cpu_us(_EMPTY),
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
