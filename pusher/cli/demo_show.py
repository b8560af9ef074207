"""What the demo plays, and how it prints it."""

import secrets
import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from pusher.cli.demo_world import CONCURRENCY, DemoWorld
from pusher.simulators.handset import HandsetSimulator
from pusher.simulators.misbehaviour import Answer
from pusher.simulators.proxy import Call
from pusher.simulators.stage import AppKind

#: Seconds a caller of the demo listens to the ringing tone; Kamailio's own limit.
PATIENCE_S = 20.0
#: Seconds a simulated phone takes to wake up and register.
WAKE_DELAY_S = 0.15

NAMES = {
    AppKind.APPLE_KEY: "APNs, token key",
    AppKind.APPLE_CERTIFICATE: "APNs, certificate",
    AppKind.FIREBASE: "FCM HTTP v1",
}

console = Console(highlight=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One call of the demo, over."""

    name: str
    call: Call
    handset: HandsetSimulator
    answer: dict[str, Any] | None
    #: Push-Status it should end with.
    expected: str

    @property
    def status(self) -> str:
        """Push-Status of the answer, with its reason."""
        if self.answer is None:
            return "no answer"
        reason = self.answer.get("Push-Reason")
        return str(self.answer.get("Push-Status")) + (f", {reason}" if reason else "")

    @property
    def good(self) -> bool:
        """Whether it was answered as it should be, exactly once."""
        return (
            self.answer is not None and self.answer.get("Push-Status") == self.expected and len(self.call.answers) == 1
        )

    @property
    def ms(self) -> float:
        """Milliseconds from push_req to push_resp."""
        return 1000 * (self.call.answers[0][0] - self.call.requested_at) if self.call.answers else 0.0

    def timeline(self) -> list[tuple[float, str]]:
        """Return milliseconds since the query, and what happened then."""
        start = self.call.requested_at
        events = [(0.0, "query on the bus")]
        events += [(1000 * (at - start), "push accepted by the provider") for at in self.handset.pushed_at]
        events += [(1000 * (at - start), "phone awake, registers") for at in self.handset.woken_at]
        events += [(1000 * (at - start), f"answered: {self.status}") for at, _ in self.call.answers]
        return sorted(event for event in events if event[0] >= 0)


def show_tour(world: DemoWorld) -> bool:
    """Play one call of every kind and tell whether all went as they should."""
    played: list[Played] = []

    def scene(title: str, play: Callable[[], list[Played]]) -> None:
        console.print(f"\n[bold]{title}[/bold]")
        for one in play():
            played.append(one)
            for ms, what in one.timeline():
                console.print(f"  {ms:8.1f} ms  {escape(what)}")

    for kind, name in NAMES.items():
        scene(f"A call wakes a phone ({name})", lambda kind=kind, name=name: [_one(world, kind, name)])  # type: ignore[misc]
    scene("A dead token fails fast, so that the caller gets voicemail", lambda: [_dead(world)])
    scene("The provider answers 503 twice, then accepts", lambda: [_unavailable_twice(world)])
    scene("Two callers for one phone: one registration answers both", lambda: _two_callers(world))
    _summary(played)
    return all(one.good for one in played)


def _one(world: DemoWorld, kind: AppKind, name: str) -> Played:
    handset = world.stage.handset(kind, wake_delay_s=WAKE_DELAY_S)
    return _play(world, handset, name, "registered")


def _play(world: DemoWorld, handset: HandsetSimulator, name: str, expected: str) -> Played:
    call = _call(world, handset)
    answer = call.answer(PATIENCE_S)
    return Played(name=name, call=call, handset=handset, answer=answer, expected=expected)


def _call(world: DemoWorld, handset: HandsetSimulator) -> Call:
    return world.proxy.call(token=handset.token, token_type=handset.token_type, app_id=handset.app_id)


def _dead(world: DemoWorld) -> Played:
    handset = world.stage.handset(AppKind.APPLE_KEY)
    world.stage.apns.kill_token(handset.token)
    return _play(world, handset, "dead token", "failed")


def _unavailable_twice(world: DemoWorld) -> Played:
    handset = world.stage.handset(AppKind.APPLE_KEY, wake_delay_s=WAKE_DELAY_S)
    world.stage.apns.next(Answer(status=503, reason="ServiceUnavailable"), times=2, token=handset.token)
    return _play(world, handset, "503, 503, 200", "registered")


def _two_callers(world: DemoWorld) -> list[Played]:
    handset = world.stage.handset(AppKind.FIREBASE, wakes=False)
    calls = [_call(world, handset) for _ in range(2)]
    deadline = time.monotonic() + PATIENCE_S
    while len(handset.pushed_at) < len(calls) and time.monotonic() < deadline:
        time.sleep(0.01)
    handset.wake({})
    return [
        Played(
            name=f"two callers, the {place}",
            call=call,
            handset=handset,
            answer=call.answer(PATIENCE_S),
            expected="registered",
        )
        for place, call in zip(("first", "second"), calls, strict=True)
    ]


def _summary(played: list[Played]) -> None:
    table = Table(title="\nSummary", title_justify="left")
    for heading, justify in (("Call", "left"), ("Answer", "left"), ("After", "right"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for one in played:
        verdict = "[green]as it should[/green]" if one.good else "[red]WRONG[/red]"
        table.add_row(one.name, escape(one.status), f"{one.ms:.0f} ms", verdict)
    console.print(table)


def show_many(world: DemoWorld, calls: int) -> bool:
    """Play `calls` calls to phones of all three apps, 20 at a time, and tell whether all were answered."""
    kinds = list(NAMES)
    caller_tag = secrets.token_hex(2)

    def play(number: int) -> Played:
        kind = kinds[number % len(kinds)]
        handset = world.stage.handset(kind, user=f"{caller_tag}{number}")
        return _play(world, handset, NAMES[kind], "registered")

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        played = list(track(pool.map(play, range(calls)), "Calling", total=calls, console=console, transient=True))
    answered = sorted(one.ms for one in played if one.good)
    console.print(f"{len(answered)} of {calls} calls answered, {CONCURRENCY} at a time")
    if len(answered) > 1:
        cuts = statistics.quantiles(answered, n=100, method="inclusive")
        console.print(f"push_req to push_resp: p50 {cuts[49]:.0f} ms, p95 {cuts[94]:.0f} ms, p99 {cuts[98]:.0f} ms")
    for status, count in Counter(one.status for one in played if not one.good).items():
        console.print(f"[red]{count} x {escape(status)}[/red]")
    return len(answered) == calls
