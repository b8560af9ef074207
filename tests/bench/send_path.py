"""Benchmark 1: requests that one process sends on one connection, beside a bare h2 loop and beside other clients."""

from typing import Any

from tests.bench.lab import Lab
from tests.bench.result import Goal, Plot, Result, Table
from tests.bench.senders import CLIENTS

IN_FLIGHT = (1, 50, 200, 1000)
_DELAY_MS = 50
#: Of a provider that takes its time only these are asked.
_PATIENT = ("h2", "pusher", "aioapns")
#: What a peer costs is no part of the goals at a thousand in flight, where it may fail.
_CROWDS = (50, 200)

Found = dict[tuple[str, int], dict[str, Any]]


def run(lab: Lab) -> Result:
    """Measure."""
    at_once = _measure(lab, 0, tuple(CLIENTS), 3)
    later = _measure(lab, _DELAY_MS, _PATIENT, 2)
    rates = {key: found["rate"] for key, found in at_once.items()}
    crowd = {
        peer: min(rates["pusher", number] / rates[peer, number] for number in _CROWDS)
        for peer in ("aioapns", "httpx", "h2")
    }
    errors = sum(found["error"] is not None for (client, _), found in (at_once | later).items() if client == "pusher")
    return Result(
        name="send_path",
        title="Send path",
        tables=[
            _table("Answers at once: requests a second", at_once),
            _table(f"Answers after {_DELAY_MS} ms: requests a second", later),
            _shares(at_once),
            _without_io(lab),
        ],
        goals=[
            Goal(text="Per aioapns, 50 and 200 threads", value=crowd["aioapns"], kind="least", limit=2.5),
            Goal(text="Per httpx, 50 and 200 threads", value=crowd["httpx"], kind="least", limit=4.0),
            Goal(text="Per bare h2 loop, 50 and 200 threads", value=crowd["h2"], kind="least", limit=0.6),
            Goal(text="Errors of ours, up to 1000 in flight", value=float(errors), kind="most", limit=0.0),
            Goal(
                text="One at a time, time per bare h2 loop",
                value=rates["h2", 1] / rates["pusher", 1],
                kind="most",
                limit=1.3,
            ),
            *_patience(rates, later),
        ],
        plots=[
            Plot(
                name="send_path",
                title="Requests a second on one core, answers at once",
                x_label="requests in flight",
                y_label="requests per second",
                curves={
                    client: [(number, rates[client, number]) for number in IN_FLIGHT if rates[client, number]]
                    for client in CLIENTS
                },
            )
        ],
        notes=[
            "h2 is a loop on h2's defaults in one thread: the floor. jh2 is the same loop on h2's fork with a compiled "
            "HPACK. A rate of 0 is a client that failed; at most 1000 streams are allowed, as APNs does.",
        ],
        figures={f"{client}_{number}": rate for (client, number), rate in rates.items()},
    )


def _patience(rates: dict[tuple[str, int], float], later: Found) -> list[Goal]:
    """Return the goals for answers that take their time: what so many in flight allow, or half of what h2 can do."""
    goals = []
    for number in IN_FLIGHT:
        allowed = min(0.9 * number / (_DELAY_MS / 1000), 0.5 * rates["h2", number])
        value = later["pusher", number]["rate"] / allowed
        text = f"Answers after {_DELAY_MS} ms, {number} in flight, per what is possible"
        goals.append(Goal(text=text, value=value, kind="least", limit=1.0))
    return goals


def _measure(lab: Lab, delay_ms: int, clients: tuple[str, ...], rounds: int) -> Found:
    """Return what each client did with each number of requests in flight; the middle of some rounds."""
    seconds, rounds = (0.3, 1) if lab.quick else (1.0, rounds)
    lab.provider.tell(f"delay_ms {delay_ms}")
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for number in IN_FLIGHT:
        for _ in range(rounds):
            for client in clients:
                found.setdefault((client, number), []).append(_once(lab, client, number, seconds))
    lab.provider.tell("delay_ms 0")
    return {key: sorted(each, key=lambda one: one["rate"])[len(each) // 2] for key, each in found.items()}


def _once(lab: Lab, client: str, in_flight: int, seconds: float) -> dict[str, Any]:
    arguments = (client, str(lab.provider.port), str(lab.authority.ca_file), str(in_flight), str(seconds))
    before = lab.provider.usage.cpu_s
    found = lab.run("tests.bench.senders", *arguments)
    # Over what the client measured; a little too much, for its warm-up counts as well.
    return {**found, "provider": (lab.provider.usage.cpu_s - before) / seconds}


def _table(title: str, found: Found) -> Table:
    clients = list(dict.fromkeys(client for client, _ in found))
    rows: list[tuple[str | float, ...]] = [
        (str(number), *(found[client, number]["rate"] for client in clients)) for number in IN_FLIGHT
    ]
    return Table(title=title, columns=("in flight", *clients), rows=rows)


def _without_io(lab: Lab) -> Table:
    found = lab.run("tests.bench.exchange")
    return Table(
        title="Ours without I/O, one thread: microseconds a request",
        columns=("step", "microseconds"),
        rows=[*found.items(), ("together", sum(found.values()))],
    )


def _shares(found: Found) -> Table:
    return Table(
        title="CPU seconds a second of the provider, and of each client, at 50 in flight",
        columns=("client", "client's", "provider's", "microseconds a request"),
        rows=[
            (
                client,
                found[client, 50]["cpu_share"],
                found[client, 50]["provider"],
                1e6 * found[client, 50]["cpu_share"] / max(1.0, found[client, 50]["rate"]),
            )
            for client in CLIENTS
        ],
    )
