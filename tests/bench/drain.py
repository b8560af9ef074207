"""How fast a process works off a queue that was filled before, and what that costs."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.bench.lab import PATIENCE_S, Lab, Process
from tests.bench.messages import Bus
from tests.bench.result import Table, median
from tests.support.until import until

#: The part of the queue between which the clock runs: neither the start nor the last few messages count.
_FROM, _TO = 0.85, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What was measured."""

    #: Messages a second.
    rate: float
    #: Microseconds of the process' CPU time for each.
    cpu_us: float
    #: CPU seconds a second of each server: 1 is a whole core.
    shares: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    at: float
    left: int
    cpu_s: float
    servers: dict[str, float]


def drain(lab: Lab, bus: Bus, queue: str, total: int, start: Callable[[], Sequence[Process]]) -> Drained:
    """Wait until `queue` holds `total` messages and the processes of `start` have worked them off.

    Returns the speed in the middle of it.
    """
    until(lambda: bus.depth(queue) == total, seconds=PATIENCE_S, what=f"{queue} is full")
    processes = start()
    looks: list[_Look] = []
    deadline = time.monotonic() + PATIENCE_S
    while not looks or looks[-1].left > 0:
        assert time.monotonic() < deadline, f"{queue} is not worked off: {looks[-1]}"
        left = bus.depth(queue)
        cpu_s = sum(process.usage.cpu_s for process in processes)
        looks.append(_Look(at=time.monotonic(), left=left, cpu_s=cpu_s, servers=lab.servers_cpu_s))
        time.sleep(0.02)
    # Before the clock starts, the process may still be starting.
    counted = [look for look in looks if _TO * total <= look.left <= _FROM * total]
    assert len(counted) > 1, f"too few messages to measure {queue}: {total}"
    first, last = counted[0], counted[-1]
    messages, seconds = first.left - last.left, last.at - first.at
    return Drained(
        rate=messages / seconds,
        cpu_us=1e6 * (last.cpu_s - first.cpu_s) / messages,
        shares={name: (last.servers[name] - cpu_s) / seconds for name, cpu_s in first.servers.items()},
    )


class Comparison:
    """Rounds of several kinds of work, one kind after the other, so that a noisy minute hits all of them."""

    def __init__(self, kinds: Iterable[str], rounds: int, measure: Callable[[str], Drained]) -> None:
        self._found: dict[str, list[Drained]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, drained in self._found.items():
                drained.append(measure(kind))

    def rate(self, kind: str) -> float:
        """Return the median of messages a second."""
        return median([each.rate for each in self._found[kind]])

    def cpu_us(self, kind: str) -> float:
        """Return the median of microseconds of CPU a message."""
        return median([each.cpu_us for each in self._found[kind]])

    def ratio(self, kind: str, floor: str) -> float:
        """Return how many messages of `kind` there are for one of `floor`."""
        return self.rate(kind) / self.rate(floor)

    def table(self, title: str, what: str, floor: str) -> Table:
        """Return what was found, each kind beside `floor`."""
        servers = ("RabbitMQ", "Redis", "provider")
        return Table(
            title=title,
            columns=(what, "messages/s", "CPU us", f"of {floor}", *servers),
            rows=[
                (
                    kind,
                    self.rate(kind),
                    self.cpu_us(kind),
                    self.ratio(kind, floor),
                    *(median([each.shares[server] for each in drained]) for server in servers),
                )
                for kind, drained in self._found.items()
            ],
        )
