"""Benchmark 3: push_req taken off the bus, to the task that the broker confirmed."""

from pusher.bus.topology import CALLS
from tests.bench.drain import Comparison, Drained, drain
from tests.bench.lab import Lab, Process, Site
from tests.bench.messages import Bus, push_req
from tests.bench.queues import declare_bus
from tests.bench.result import Goal, Result

_OURS = "pusher listen"
_FLOORS = {
    "bare consume": "consume",
    "bare consume + apply_async": "consume_and_apply",
    "the same, confirmed": "consume_and_apply_confirmed",
}
_SUM = "bare consume + apply_async"


def run(lab: Lab) -> Result:
    """Measure."""
    messages, rounds = (2000, 1) if lab.quick else (4000, 3)
    found = Comparison((*_FLOORS, _OURS), rounds, lambda kind: _round(lab, kind, messages))
    return Result(
        name="listener_calls",
        title="Listener: calls",
        tables=[
            found.table(
                f"push_req to confirmed task, one process, one core; {messages} messages, median of {rounds}",
                "loop",
                _SUM,
            )
        ],
        goals=[Goal(text="Calls per bare sum", value=found.ratio(_OURS, _SUM), kind="least", limit=0.5)],
        figures={"calls_per_s": found.rate(_OURS), "call_cpu_us": found.cpu_us(_OURS)},
    )


def _round(lab: Lab, kind: str, messages: int) -> Drained:
    with lab.fresh() as site:
        declare_bus(site.bus_url)
        bus = Bus(site.bus_url)
        try:
            for number in range(messages):
                bus.push_req(push_req(number))
            return drain(lab, bus, CALLS, messages, lambda: [_start(site, kind)])
        finally:
            bus.close()


def _start(site: Site, kind: str) -> Process:
    return (
        site.start_listener() if kind == _OURS else site.start_module("tests.bench.floors", _FLOORS[kind], CALLS, "8")
    )
