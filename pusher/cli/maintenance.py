"""`pusher maintenance`: the commands that read and change the pusher document."""

import click

from pusher.cli import apps, secret_key, user_agents
from pusher.cli.import_kazoo import import_kazoo


@click.group()
def maintenance() -> None:
    """Apps, their credentials, and the phones that push."""


for command in (*apps.COMMANDS, *user_agents.COMMANDS, *secret_key.COMMANDS, import_kazoo):
    maintenance.add_command(command)
