"""`pusher waits`: the calls that wait for a phone right now."""

import time

import click

from pusher.cli.table import table
from pusher.redact import fingerprint
from pusher.settings import Settings
from pusher.wiring import Edges


@click.group()
def waits() -> None:
    """Calls that wait for a phone to register."""


@waits.command("list")
def list_waits() -> None:
    """List the calls that wait now, the earliest deadline first.

    \b
    Example:
      pusher waits list
    """
    with Edges.of(Settings.from_environment()) as edges:
        waiting = edges.waits.waiting()
    now = time.time()
    rows = [
        (
            wait.call_id or "-",
            wait.provider,
            wait.app_id,
            fingerprint(wait.token),
            f"{now - wait.received_at:.1f} s",
            f"{wait.expires_at - now:.1f} s",
        )
        for wait in waiting
    ]
    table(("Call-ID", "Provider", "App", "Token", "Waiting for", "Gives up in"), rows)
    click.echo(f"{len(rows)} waiting")
