"""`pusher`: the group of commands, and the one place where an error becomes a line on standard error."""

import sys

import click

from pusher import __version__
from pusher.cli.check import check
from pusher.cli.dead import dead
from pusher.cli.demo import demo
from pusher.cli.listen import listen
from pusher.cli.maintenance import maintenance
from pusher.cli.push import push
from pusher.cli.table import printable
from pusher.cli.waits import waits
from pusher.errors import PusherError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="kazoo-pusher", prog_name="pusher")
def cli() -> None:
    """Wake sleeping SIP softphones through APNs and FCM.

    Settings come from the environment: see docs/reference/settings.md.
    """


for command in (listen, maintenance, push, waits, dead, check, demo):
    cli.add_command(command)


def main() -> None:
    """Run a command: exit status 0 done, 1 failed with one line on standard error, 2 wrong usage."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("Aborted.", err=True)
        sys.exit(1)
    except PusherError as error:
        click.echo(f"Error: {printable(error)}", err=True)
        sys.exit(1)
