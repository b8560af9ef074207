"""`pusher check`: is everything reached, is every credential accepted, does anything on the bus look wrong?"""

import json
from collections.abc import Iterator

import click

from pusher.cli.checks import apps, broker, stores
from pusher.cli.checks.finding import Finding, Status
from pusher.cli.hush import hushed
from pusher.errors import PusherError
from pusher.push.app import ProviderName
from pusher.settings import Settings
from pusher.wiring import Edges


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list for machines.")
@click.option("--offline", is_flag=True, help="Do not ask the providers.")
def check(as_json: bool, offline: bool) -> None:
    """Check bus, broker, Redis, documents, settings and every app; exit status 1 if something is wrong.

    Each app's provider is asked with a push to a token that nobody has. No phone rings.

    \b
    Example:
      pusher check
      pusher check --json --offline
    """
    findings = []
    with hushed(), Edges.of(Settings.from_environment()) as edges:
        for finding in _findings(edges, live=not offline):
            findings.append(finding)
            if not as_json:
                click.echo(finding.to_line())
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in findings], indent=2))
    wrong = sum(finding.status is Status.FAILED for finding in findings)
    if wrong:
        raise click.ClickException(f"{wrong} of the above failed")


def _findings(edges: Edges, *, live: bool) -> Iterator[Finding]:
    redis = stores.redis(edges)
    yield redis
    yield from stores.documents(edges)
    try:
        found = edges.system_config.apps()
    except PusherError:
        found = None
    needed = tuple(ProviderName) if found is None else {app.provider for app in found if app.enabled}
    yield from broker.bus(edges.settings, lambda: [wait.server_id for wait in edges.waits.waiting()], needed)
    yield from broker.tasks(edges.settings, needed)
    if found is not None:
        yield from apps.apps(edges, found, live=live, redis_up=redis.status is not Status.FAILED)
