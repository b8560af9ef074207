"""Benchmark 3: push_req taken off the bus, to the task that the broker confirmed."""

from pusher.bus.topology import CALLS
from tests.bench.drain import Drained, drain, shares
from tests.bench.lab import Lab, Process, Site
from tests.bench.messages import Bus, push_req
from tests.bench.queues import declare_bus
from tests.bench.result import Goal, Result, Table, median

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
    found: dict[str, list[Drained]] = {kind: [] for kind in (*_FLOORS, _OURS)}
    for _ in range(rounds):
        for kind, drained in found.items():
            drained.append(_round(lab, kind, messages))
    rates = {kind: median([each.rate for each in drained]) for kind, drained in found.items()}
    cpu_us = {kind: median([each.cpu_us for each in drained]) for kind, drained in found.items()}
    return Result(
        name="listener_calls",
        title="Listener: calls",
        tables=[
            Table(
                title=f"push_req to confirmed task, one process, one core; {messages} messages, median of {rounds}",
                columns=("loop", "messages/s", "CPU us", "of the bare sum", "RabbitMQ", "Redis"),
                rows=[
                    (kind, rates[kind], cpu_us[kind], rates[kind] / rates[_SUM], *shares(found[kind])[:2])
                    for kind in found
                ],
            )
        ],
        goals=[Goal(text="Calls per bare sum", value=rates[_OURS] / rates[_SUM], kind="least", limit=0.5)],
        figures={"calls_per_s": rates[_OURS], "call_cpu_us": cpu_us[_OURS]},
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
