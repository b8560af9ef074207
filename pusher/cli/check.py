"""`pusher check`: can everything be reached, and will every app's credential work?"""

from collections.abc import Callable, Iterator
from typing import Any

import click

from pusher.bus.connection import CONNECTION_ERRORS, connect, reach
from pusher.cli.credentials import summary
from pusher.cli.table import printable
from pusher.clock import utcnow
from pusher.documents import pusher_document
from pusher.errors import BusUnavailable, PusherError
from pusher.push.app import App
from pusher.settings import Settings
from pusher.wiring import Edges


@click.command()
def check() -> None:
    """Check broker, Redis, documents and the credentials of every app; exit status 1 if something is wrong.

    \b
    Example:
      pusher check
    """
    settings = Settings.from_environment()
    edges = Edges.of(settings)
    wrong = 0
    try:
        for subject, problem, facts in _results(settings, edges):
            wrong += problem is not None
            verdict = "ok" if problem is None else "FAILED"
            click.echo(f"{verdict:6}  {printable(subject)}: {printable(problem or facts)}")
    finally:
        edges.close()
    if wrong:
        raise click.ClickException(f"{wrong} of the above failed")


def _results(settings: Settings, edges: Edges) -> Iterator[tuple[str, str | None, str]]:
    """Yield what was checked, what is wrong with it, and what is to be said when nothing is."""
    yield _tried("bus", lambda: _connects(connect, settings.bus_url), "reached, exchanges as they should be")
    if settings.broker_url != settings.bus_url:
        yield _tried("tasks", lambda: _connects(reach, settings.broker_url), "broker reached")
    yield _tried("redis", edges.waits.waiting, "reached")
    yield _tried("documents", lambda: pusher_document.read(edges.documents), "reached")
    try:
        apps = edges.system_config.apps()
    except PusherError:
        return
    if not apps:
        yield "apps", "none configured: see pusher maintenance --help", ""
    for app in apps:
        yield _app(app)


def _tried(subject: str, action: Callable[[], object], facts: str) -> tuple[str, str | None, str]:
    try:
        action()
    except PusherError as error:
        return subject, str(error), ""
    return subject, None, facts


def _connects(how: Callable[..., Any], url: str) -> None:
    try:
        how(url, heartbeat_s=0).release()
    except CONNECTION_ERRORS as error:
        raise BusUnavailable(f"not reached: {error}") from error


def _app(app: App) -> tuple[str, str | None, str]:
    subject = f"app {app.app_id}"
    try:
        facts = summary(app, utcnow())
    except PusherError as error:
        return subject, str(error), ""
    return subject, None, facts if app.enabled else f"disabled; {facts}"
