"""Benchmark 4: registrations taken off the bus: desk phones, phones that push and did not change, and some that did."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.bench.drain import Drained, drain, shares
from tests.bench.fleet import load
from tests.bench.lab import Lab, Process, Site
from tests.bench.messages import Bus, desk_phone, reg_success
from tests.bench.queues import declare_bus
from tests.bench.result import Goal, Result, Table, median

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
    found: dict[str, list[Drained]] = {kind: [] for kind in _MESSAGES}
    for _ in range(rounds):
        for kind, drained in found.items():
            # A changed phone is a task, which costs more and is rarer.
            drained.append(_round(lab, kind, messages // 4 if kind == _CHANGED else messages))
    rates = {kind: median([each.rate for each in drained]) for kind, drained in found.items()}
    cpu_us = {kind: median([each.cpu_us for each in drained]) for kind, drained in found.items()}
    return Result(
        name="listener_registrations",
        title="Listener: registrations",
        tables=[
            Table(
                title=f"reg_success, one process, one core; {messages} messages, median of {rounds}",
                columns=("phone", "messages/s", "CPU us", "of the bare loop", "RabbitMQ", "Redis"),
                rows=[
                    (kind, rates[kind], cpu_us[kind], rates[kind] / rates[_FLOOR], *shares(found[kind])[:2])
                    for kind in found
                ],
            )
        ],
        goals=[
            Goal(text="Desk phones per bare loop", value=rates[_DESK] / rates[_FLOOR], kind="least", limit=0.6),
            Goal(
                text="Unchanged phones per bare loop", value=rates[_UNCHANGED] / rates[_FLOOR], kind="least", limit=0.35
            ),
        ],
        figures={
            "desk_per_s": rates[_DESK],
            "unchanged_per_s": rates[_UNCHANGED],
            "changed_per_s": rates[_CHANGED],
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
