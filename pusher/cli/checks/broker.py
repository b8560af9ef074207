"""The bus and Celery's broker as `pusher check` sees them: exchanges, queues, who consumes, who should not."""

import time
from collections.abc import Callable, Collection, Iterator
from functools import partial

from pusher.bus.inspection import Inspection, inspecting
from pusher.bus.tls import TLS
from pusher.bus.topology import CALLS, CONFIGURATION, EXCHANGES, PUSHES, REGISTRAR, TARGETED, registrations
from pusher.cli.checks import kamailio
from pusher.cli.checks.finding import Fact, Finding, failed, ok, warn
from pusher.errors import BusUnavailable, PusherError, StoreUnavailable
from pusher.push.app import ProviderName
from pusher.settings import Settings

#: Who declares it beside us (facts: kazoo.md 1).
_OTHERS = {
    PUSHES.name: "only Pusher should",
    REGISTRAR.name: "so do Kazoo and Kamailio",
    TARGETED.name: "so do Kazoo and Kamailio",
    CONFIGURATION.name: "so does Kazoo",
}
#: What Kazoo's own application consumes (facts: kazoo.md 1).
_ERLANG = "pusher_shared_listener"
#: Messages that nobody has begun: above, calls get late (as many as a worker has threads), or a store is behind.
_MANY_CALLS, _MANY_OTHERS = 100, 10_000


def bus(settings: Settings, waiting: Callable[[], list[str]], needed: Collection[ProviderName]) -> Iterator[Finding]:
    """Yield what Kazoo's bus looks like.

    `waiting` returns the Server-IDs of waiting calls or raises `PusherError`; `needed` are the providers with an
    enabled app.
    """
    began = time.monotonic()
    try:
        with inspecting(settings.bus_url, tls=TLS.of(settings.bus_url, settings.ca_file)) as look:
            ms = 1000 * (time.monotonic() - began)
            yield ok("bus", f"reached, {look.broker}", broker=look.broker, ms=round(ms, 1))
            listening = _consumed(look, CALLS)
            for exchange in EXCHANGES:
                yield _guarded(f"exchange {exchange.name}", partial(_exchange, look, exchange.name, listening))
            yield _guarded("Erlang pusher", lambda: _erlang(look))
            for name, most in ((CALLS, _MANY_CALLS), (registrations().name, _MANY_OTHERS)):
                check = partial(_queue, look, name, most, "pusher listen", urgent=name == CALLS)
                yield _guarded(f"queue {name}", check)
            yield from _all(kamailio.dead_letters(look))
            yield _guarded("waiting calls", lambda: kamailio.waiting_calls(look, waiting(), settings.node))
            yield _guarded("canary", lambda: kamailio.canary(look, settings.node, listening))
            if settings.broker_url == settings.bus_url:
                yield from _task_queues(look, needed)
    except BusUnavailable as error:
        yield failed("bus", f"{error}: look at PUSHER_BUS_URL, and whether RabbitMQ runs")


def tasks(settings: Settings, needed: Collection[ProviderName]) -> Iterator[Finding]:
    """Yield what Celery's broker looks like, where it is not the bus."""
    if settings.broker_url == settings.bus_url:
        return
    try:
        with inspecting(settings.broker_url, tls=TLS.of(settings.broker_url, settings.ca_file)) as look:
            yield ok("tasks", f"broker reached, {look.broker}", broker=look.broker)
            yield from _task_queues(look, needed)
    except BusUnavailable as error:
        yield failed("tasks", f"broker {error}: look at PUSHER_BROKER_URL, and whether RabbitMQ runs")


def _guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    """Return what `look` finds; a question that the broker refuses must not hide the other answers."""
    try:
        return look()
    except StoreUnavailable as error:
        # Redis has a line of its own.
        return warn(subject, f"not known: {error}")
    except PusherError as error:
        return failed(subject, f"not known: {error}")


def _all(findings: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
    except PusherError as error:
        yield failed("dead letters", f"not known: {error}")


def _consumed(look: Inspection, name: str) -> bool:
    try:
        state = look.queue(name)
    except BusUnavailable:
        return False
    return state is not None and state.consumers > 0


def _exchange(look: Inspection, name: str, listening: bool) -> Finding:
    subject, state = f"exchange {name}", look.exchange(name)
    flags = f"{state.kind}, transient"
    if not state.exists:
        if listening:
            text = "was deleted under a running listener, which hears nothing through it: restart the listener"
            return failed(subject, f"{text}, then Kamailio", exists=False)
        text = "does not exist: the listener declares it when it starts"
        if name == PUSHES.name:
            # Its channels die of publishing to nowhere, and it does not notice (facts: kazoo.md 1).
            text += ". Restart Kamailio after that, if it asked for pushes meanwhile"
        return warn(subject, text, exists=False)
    if state.objection is None:
        return ok(subject, flags, exists=True)
    return failed(
        subject,
        f"somebody declared it otherwise: {state.objection}. Pusher declares it {flags} and not auto-delete, "
        f"{_OTHERS[name]}: find out who else does, stop it, delete the exchange, start the listener, restart Kamailio",
        exists=True,
        broker_says=state.objection,
    )


def _erlang(look: Inspection) -> Finding:
    state = look.queue(_ERLANG)
    if state is None or state.consumers == 0:
        return ok("Erlang pusher", "does not run", consumers=0)
    return failed(
        "Erlang pusher",
        f"Kazoo's own pusher runs as well ({_ERLANG} has consumers): both push, and phones ring twice. Stop it on "
        "every node and take pusher off the applications that Kazoo starts",
        consumers=state.consumers,
    )


def _task_queues(look: Inspection, needed: Collection[ProviderName]) -> Iterator[Finding]:
    for provider in ProviderName:
        name = f"push.{provider}"
        worker = f"a worker with -Q {name}" if provider in needed else None
        check = partial(_queue, look, name, _MANY_CALLS, worker, urgent=provider in needed)
        yield _guarded(f"queue {name}", check)
    yield _guarded("queue devices", lambda: _queue(look, "devices", _MANY_OTHERS, "a worker with -Q devices"))


def _queue(look: Inspection, name: str, most: int, consumer: str | None, *, urgent: bool = False) -> Finding:
    """Return how queue `name` stands, which `consumer` should take from; None where no app needs it.

    `urgent` tells that no call is woken while nobody does.
    """
    subject, state = f"queue {name}", look.queue(name)
    messages, consumers = (0, 0) if state is None else (state.messages, state.consumers)
    facts: dict[str, Fact] = {"exists": state is not None, "messages": messages, "consumers": consumers}
    if consumers == 0 and consumer is None and messages == 0:
        return ok(subject, "nobody takes from it, and no app needs it", **facts)
    if consumers == 0:
        told = failed if urgent else warn
        return told(subject, f"nobody takes from it, {messages} wait: start {consumer or 'a worker'}", **facts)
    if messages > most:
        text = f"{messages} wait for {consumers} consumers: too slow, too few, or what they wait for hangs"
        return warn(subject, text, **facts)
    return ok(subject, f"{consumers} consumers, {messages} wait", **facts)
