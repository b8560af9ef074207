"""Benchmark 8: seconds to ready, and what the first push costs after a start and after an idle hour."""

import time

from tests.bench.lab import Lab, Site
from tests.bench.messages import Bus, push_req
from tests.bench.result import Goal, Result, Table, median
from tests.support.until import until

#: Pushes that tell what is usual.
_USUAL = 30
#: Seconds in which nobody calls, after a start and after the provider closed: a worker looks at its connections once a
#: second.
_QUIET_S = 2.0
#: Milliseconds that a new connection takes: three round trips of TCP, TLS and HTTP/2 to a provider 50 ms away.
_FAR_MS = 150


def run(lab: Lab) -> Result:
    """Measure."""
    found = [_round(lab) for _ in range(1 if lab.quick else 5)]
    middle = {name: median([each[name] for each in found]) for name in found[0]}
    return Result(
        name="start",
        title="Start",
        tables=[
            Table(
                title=f"Median of {len(found)}, one core",
                columns=("what", "value"),
                rows=[
                    ("listener, seconds to ready", middle["listener_s"]),
                    ("worker, seconds to ready", middle["worker_s"]),
                    ("push_req to provider, ms, usual", middle["usual_ms"]),
                    ("the first after a start", middle["first_ms"]),
                    ("the first after the provider closed an idle connection", middle["idle_ms"]),
                ],
            )
        ],
        goals=[
            Goal(
                text="First push after a start, per usual one",
                value=middle["first_ms"] / middle["usual_ms"],
                kind="most",
                limit=4.0,
            ),
            Goal(
                text="First push after an idle hour, per usual one",
                value=middle["idle_ms"] / middle["usual_ms"],
                kind="most",
                limit=4.0,
            ),
        ],
        notes=[
            "An idle hour is simulated by what it does: the provider says GOAWAY and closes. The usual push is the "
            f"median of pushes that follow one another, 50 ms apart. A new connection takes {_FAR_MS} ms. "
            f"A worker sees a closed connection within a second; nobody calls for {_QUIET_S:g} seconds."
        ],
        figures=middle,
    )


def _round(lab: Lab) -> dict[str, float]:
    with lab.fresh() as site:
        lab.provider.tell(f"far_ms {_FAR_MS}")
        began = time.monotonic()
        site.start_listener()
        listener_s = time.monotonic() - began
        began = time.monotonic()
        site.start_worker()
        worker_s = time.monotonic() - began
        time.sleep(_QUIET_S)
        bus = Bus(site.bus_url)
        lab.provider.tell("note 1")
        first_s = _push_s(site, bus, 0)
        usual = []
        for number in range(1, _USUAL + 1):
            usual.append(_push_s(site, bus, number))
            time.sleep(0.05)
        lab.provider.tell("go_away")
        time.sleep(_QUIET_S)
        idle_s = _push_s(site, bus, _USUAL + 1)
        bus.close()
        lab.provider.tell("far_ms 0")
    return {
        "listener_s": listener_s,
        "worker_s": worker_s,
        "first_ms": 1000 * first_s,
        "usual_ms": 1000 * median(usual),
        "idle_ms": 1000 * idle_s,
    }


def _push_s(site: Site, bus: Bus, number: int) -> float:
    """Ask for one push and return the seconds until it is at the provider."""
    message = push_req(number)
    began = time.monotonic()
    bus.push_req(message)
    arrivals = until(lambda: _arrived(site, message["Call-ID"]), what="push")
    return arrivals[message["Call-ID"]] - began


def _arrived(site: Site, call_id: str) -> dict[str, float] | None:
    arrivals: dict[str, float] = site.lab.provider.tell("arrivals")
    return arrivals if call_id in arrivals else None
