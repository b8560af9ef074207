"""Benchmark 6: calls that wait at once: what each takes in Redis and in our processes, how fast they are answered."""

from dataclasses import dataclass

from tests.bench.fleet import load
from tests.bench.lab import PATIENCE_S, Lab, Process, Usage
from tests.bench.messages import SERVER_ID, Bus, push_req, reg_success
from tests.bench.proxy import Answers
from tests.bench.result import Goal, Plot, Result, Table
from tests.support.until import until

#: Calls before anything is measured, so that both processes have all the threads and caches they will ever have.
_WARM_UP = 600
#: Further calls, made while the others wait, that tell what a push costs then.
_PROBE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waited:
    """What was measured with so many waiting calls."""

    calls: int
    redis_bytes: float
    listener: Usage
    worker: Usage
    #: Microseconds of both processes for one push more.
    push_cpu_us: float
    #: Answers a second when all phones register.
    answers: float


def run(lab: Lab) -> Result:
    """Measure."""
    numbers = (10, 100, 1000) if lab.quick else (10, 100, 1000, 10_000)
    found = [_round(lab, calls) for calls in numbers]
    few, most = found[0], found[-1]
    grown = {name: (getattr(most, name).rss_kib - getattr(few, name).rss_kib) / 1024 for name in ("listener", "worker")}
    threads = max(getattr(most, name).threads - getattr(few, name).threads for name in ("listener", "worker"))
    return Result(
        name="waiting",
        title="Waiting calls",
        tables=[
            Table(
                title="Listener and worker on one core; memory is resident size",
                columns=(
                    *("waiting calls", "Redis bytes each", "listener MiB", "threads", "worker MiB", "threads"),
                    *("CPU us a push", "answers/s"),
                ),
                rows=[_row(each) for each in found],
            )
        ],
        goals=[
            Goal(text=f"Redis bytes for each of {most.calls}", value=most.redis_bytes, kind="most", limit=1024.0),
            Goal(text="Listener grows by MiB", value=grown["listener"], kind="most", limit=5.0),
            Goal(text="Worker grows by MiB", value=grown["worker"], kind="most", limit=5.0),
            Goal(text="Threads more", value=float(threads), kind="most", limit=0.0),
            Goal(text=f"Answers a second to {most.calls}", value=most.answers, kind="least", limit=1000.0),
            Goal(
                text=f"Cost of a push with {most.calls} waiting, per that with {few.calls}",
                value=most.push_cpu_us / few.push_cpu_us,
                kind="most",
                limit=1.2,
            ),
        ],
        plots=[
            Plot(
                name="waiting",
                title="Cost of one push while calls wait",
                x_label="waiting calls",
                y_label="CPU microseconds, listener and worker",
                curves={"push": [(each.calls, each.push_cpu_us) for each in found]},
            )
        ],
        notes=[
            "Redis bytes are those of a waiting call, without the mark that its push was accepted (about 130 more)."
        ],
        figures={"redis_bytes": most.redis_bytes, "answers_per_s": most.answers, "most": float(most.calls)},
    )


def _row(each: _Waited) -> tuple[float, ...]:
    memory = [value for usage in (each.listener, each.worker) for value in (usage.rss_kib / 1024, usage.threads)]
    return (each.calls, each.redis_bytes, *memory, each.push_cpu_us, each.answers)


def _round(lab: Lab, calls: int) -> _Waited:
    with lab.fresh() as site:
        listener, worker = site.start_listener(), site.start_worker()
        bus = Bus(site.bus_url)
        others = iter(range(10**6, 10**7))
        with Answers(site.bus_url, "targeted", SERVER_ID, "Msg-ID") as answers:
            # A provider that takes its time makes the worker start every thread it may have.
            lab.provider.tell("delay_ms 300")
            _call(lab, bus, [next(others) for _ in range(_WARM_UP)])
            lab.provider.tell("delay_ms 0")
            before = _used(lab)
            _call(lab, bus, range(calls))
            redis_bytes = (_used(lab) - before) / calls
            usages = listener.usage, worker.usage
            cpu_s = _cpu_s(listener, worker)
            _call(lab, bus, [next(others) for _ in range(_PROBE)])
            push_cpu_us = 1e6 * (_cpu_s(listener, worker) - cpu_s) / _PROBE
            # Not before: Redis' table of keys would double at another number of calls, and look like their cost.
            load(lab.redis.url, range(calls))
            for number in range(calls):
                bus.reg_success(reg_success(number))
            until(lambda: len(answers.came) == calls, seconds=PATIENCE_S, what="answers")
        bus.close()
    took_s = max(answers.came.values()) - min(answers.came.values())
    return _Waited(
        calls=calls,
        redis_bytes=redis_bytes,
        listener=usages[0],
        worker=usages[1],
        push_cpu_us=push_cpu_us,
        answers=(calls - 1) / took_s,
    )


def _used(lab: Lab) -> int:
    """Return the bytes that Redis uses, the marks of accepted pushes taken away: they are no part of a wait."""
    marks = list(lab.redis_client.scan_iter("pusher:sent:*", count=1000))
    for first in range(0, len(marks), 1000):
        lab.redis_client.delete(*marks[first : first + 1000])
    memory = lab.redis_client.info("memory")
    # Buffers of a hundred connections come and go, and have nothing to do with what is kept.
    return int(memory["used_memory"] - memory["mem_clients_normal"])


def _call(lab: Lab, bus: Bus, devices: "range | list[int]") -> None:
    """Call `devices`, and return when all their pushes are out."""
    wanted = lab.provider.tell("state")["requests"] + len(devices)
    for number in devices:
        bus.push_req(push_req(number))
    until(lambda: lab.provider.tell("state")["requests"] == wanted, seconds=PATIENCE_S, what="pushes")


def _cpu_s(*processes: Process) -> float:
    return sum(process.usage.cpu_s for process in processes)
