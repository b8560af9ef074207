"""Benchmark 4: registrations taken off the bus: desk phones, phones that push and did not change, and some that did."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.bench.drain import Comparison, Drained, drain
from tests.bench.fleet import load
from tests.bench.lab import Lab, Process, Site
from tests.bench.messages import Bus, desk_phone, reg_success
from tests.bench.queues import declare_bus
from tests.bench.result import Goal, Result

QUEUE = "pusher.reg_success"
_FLOOR, _DESK, _UNCHANGED, _CHANGED = "bare kombu loop", "desk phone", "push phone, unchanged", "push phone, changed"
_MESSAGES: Mapping[str, Callable[[int], dict[str, Any]]] = {
    _FLOOR: desk_phone,
    _DESK: desk_phone,
    _UNCHANGED: reg_success,
    _CHANGED: reg_success,
}
_DEVICES = 500


def run(lab: Lab) -> Result:
    """Measure."""
    messages, rounds = (4000, 1) if lab.quick else (10_000, 3)
    # A changed phone is a task, which costs more and is rarer.
    found = Comparison(
        _MESSAGES, rounds, lambda kind: _round(lab, kind, messages // 4 if kind == _CHANGED else messages)
    )
    return Result(
        name="listener_registrations",
        title="Listener: registrations",
        tables=[
            found.table(f"reg_success, one process, one core; {messages} messages, median of {rounds}", "phone", _FLOOR)
        ],
        goals=[
            Goal(text="Desk phones per bare loop", value=found.ratio(_DESK, _FLOOR), kind="least", limit=0.6),
            Goal(
                text="Unchanged phones per bare loop", value=found.ratio(_UNCHANGED, _FLOOR), kind="least", limit=0.35
            ),
        ],
        figures={
            "desk_per_s": found.rate(_DESK),
            "unchanged_per_s": found.rate(_UNCHANGED),
            "changed_per_s": found.rate(_CHANGED),
        },
    )


def _round(lab: Lab, kind: str, messages: int) -> Drained:
    with lab.fresh() as site:
        declare_bus(site.bus_url)
        bus = Bus(site.bus_url)
        try:
            if kind == _UNCHANGED:
                load(lab.redis.url, range(_DEVICES))
            # Phones that change come with a new token each.
            devices = 10**9 if kind == _CHANGED else _DEVICES
            for number in range(messages):
                bus.reg_success(_MESSAGES[kind](number % devices))
            return drain(lab, bus, QUEUE, messages, lambda: [_start(site, kind)])
        finally:
            bus.close()


def _start(site: Site, kind: str) -> Process:
    return site.start_module("tests.bench.floors", "consume", QUEUE) if kind == _FLOOR else site.start_listener()
