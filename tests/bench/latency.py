"""Benchmark 5: from push_req to the request at the provider, and from REGISTER to push_resp, at a steady pace."""

import json
import time
import uuid

from tests.bench.fleet import load
from tests.bench.lab import Lab, Process, Site
from tests.bench.messages import DONE_EXCHANGE, SERVER_ID, Bus, Tasks, push_req, reg_success
from tests.bench.proxy import Answers, paced
from tests.bench.result import Goal, Plot, Result, Table, percentile
from tests.support.until import until

RATES = (10, 50, 200)
_PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_FLOOR, _PUSH = "bare hop + empty task", "push_req to provider"
_ECHO, _ANSWER = "bare two-hop echo", "REGISTER to push_resp"
#: Seconds after its push_req at which a phone registers.
_WAKES_AFTER_S = 0.5


def run(lab: Lab) -> Result:
    """Measure."""
    seconds = 1.5 if lab.quick else 6.0
    found: dict[int, dict[str, list[float]]] = {}
    for rate in RATES:
        # Few calls a second make a poor p99: a little longer, then.
        calls = int(max(40 if lab.quick else 60, rate * seconds))
        found[rate] = _floors(lab, rate, calls) | _ours(lab, rate, calls)
    rows = [
        (rate, what, *(1000 * percentile(found[rate][what], share) for share in _PERCENTILES.values()))
        for rate in RATES
        for what in (_FLOOR, _PUSH, _ECHO, _ANSWER)
    ]
    return Result(
        name="latency",
        title="Latency",
        tables=[
            Table(
                title="Milliseconds, listener and worker on one core",
                columns=("calls/s", "path", *_PERCENTILES),
                rows=rows,
            )
        ],
        goals=[
            _goal(found, _PUSH, _FLOOR, "p50", 2.5),
            _goal(found, _PUSH, _FLOOR, "p99", 4.0),
            _goal(found, _ANSWER, _ECHO, "p50", 3.0),
        ],
        plots=[
            Plot(
                name="latency",
                title="Latency by load",
                x_label="calls per second",
                y_label="milliseconds",
                curves={
                    f"{what}, {name}": [(rate, 1000 * percentile(found[rate][what], share)) for rate in RATES]
                    for what in (_PUSH, _ANSWER)
                    for name, share in _PERCENTILES.items()
                    if name != "p95"
                },
            )
        ],
        figures={
            f"{key}_{name}_ms_at_{rate}": 1000 * percentile(found[rate][what], share)
            for rate in RATES
            for key, what in (("push", _PUSH), ("answer", _ANSWER))
            for name, share in _PERCENTILES.items()
        },
    )


def _all_arrivals(lab: Lab, calls: int) -> dict[str, float] | None:
    arrivals: dict[str, float] = lab.provider.tell("arrivals")
    return arrivals if len(arrivals) == calls else None


def _goal(found: dict[int, dict[str, list[float]]], ours: str, floor: str, name: str, limit: float) -> Goal:
    share = _PERCENTILES[name]
    value = percentile(found[50][ours], share) / percentile(found[50][floor], share)
    return Goal(text=f"{ours} per {floor}, {name} at 50 calls/s", value=value, kind="most", limit=limit)


def _floors(lab: Lab, rate: int, calls: int) -> dict[str, list[float]]:
    """Return the seconds that the floors took, each measured alone."""
    with lab.fresh() as site:
        bus = Bus(site.bus_url)
        bus.declare_exchange(DONE_EXCHANGE)
        for queue in ("hop", "echo"):
            bus.declare_queue(queue)
        hops = _hops(site, bus, rate, calls)
        tasks = _empty_tasks(site, rate, calls)
        echoes = _echoes(site, bus, rate, calls)
        bus.close()
    return {_FLOOR: [hop + task for hop, task in zip(hops, tasks, strict=True)], _ECHO: echoes}


def _hops(site: Site, bus: Bus, rate: int, calls: int) -> list[float]:
    process = site.start_module("tests.bench.floors", "hop", "hop")
    paced(range(calls), rate, lambda _: bus.publish("", "hop", {"sent_at": time.monotonic()}))
    _let_end(process)
    return _noted(process.log.read_text(), calls)


def _empty_tasks(site: Site, rate: int, calls: int) -> list[float]:
    process = site.start_worker(app="tests.bench.empty_worker")
    tasks = Tasks(site)
    messages = [push_req(number) for number in range(calls)]
    paced(messages, rate, lambda message: tasks.send(message, task="bench.empty", sent_at=time.monotonic()))
    tasks.close()
    _let_end(process)
    return _noted(process.log.read_text(), calls)


def _let_end(process: Process) -> None:
    """Give the last message the time to be handled, and end the process, which prints what it noted then."""
    time.sleep(1)
    process.stop()


def _noted(log: str, calls: int) -> list[float]:
    """Return what a process printed when it ended."""
    noted: list[float] = json.loads(next(line for line in reversed(log.splitlines()) if line.startswith("[")))
    assert len(noted) == calls, f"{len(noted)} of {calls} came"
    return noted


def _echoes(site: Site, bus: Bus, rate: int, calls: int) -> list[float]:
    process = site.start_module("tests.bench.floors", "echo", "echo")
    sent: dict[str, float] = {}

    def send(_: int) -> None:
        name = uuid.uuid4().hex
        sent[name] = time.monotonic()
        bus.publish("", "echo", {"id": name})

    with Answers(site.bus_url, DONE_EXCHANGE, "echo", "id") as answers:
        paced(range(calls), rate, send)
        until(lambda: len(answers.came) == calls, what="echoes")
    process.stop()
    return [answers.came[name] - at for name, at in sent.items()]


def _ours(lab: Lab, rate: int, calls: int) -> dict[str, list[float]]:
    """Return the seconds from push_req to the provider, and from REGISTER to push_resp, of the same calls."""
    with lab.fresh() as site:
        load(lab.redis.url, range(calls))
        site.start_listener()
        site.start_worker()
        bus = Bus(site.bus_url)
        requests = [push_req(number) for number in range(calls)]
        asked: dict[str, float] = {}
        registered: dict[str, float] = {}
        lag = int(rate * _WAKES_AFTER_S)

        def step(number: int) -> None:
            if number < calls:
                asked[requests[number]["Call-ID"]] = time.monotonic()
                bus.push_req(requests[number])
            if number >= lag:
                message = reg_success(number - lag)
                registered[requests[number - lag]["Msg-ID"]] = time.monotonic()
                bus.reg_success(message)

        with Answers(site.bus_url, "targeted", SERVER_ID, "Msg-ID") as answers:
            # The first pushes make connections; benchmark 8 looks at them.
            lab.provider.tell("note 1")
            paced(range(calls + lag), rate, step)
            until(lambda: len(answers.came) == calls, what="answers")
            arrivals = until(lambda: _all_arrivals(lab, calls), what="pushes")
        bus.close()
    pushes = [arrivals[call] - at for call, at in asked.items()]
    return {_PUSH: pushes, _ANSWER: [answers.came[msg_id] - at for msg_id, at in registered.items()]}
