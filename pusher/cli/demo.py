"""`pusher demo`: calls that wake phones, the whole path in one process and without any server."""

import sys

import click


@click.command()
@click.option(
    "--calls",
    type=click.IntRange(min=1, max=100_000),
    help="Run this many calls and print percentiles, instead of the tour.",
)
@click.option("--verbose", is_flag=True, help="Show the log lines of listener and worker as well.")
def demo(calls: int | None, verbose: bool) -> None:
    """Show calls waking phones: simulated providers and handsets, everything else real.

    \b
    Examples:
      pusher demo
      pusher demo --calls 200
    """
    try:
        from pusher.cli.demo_show import show_many, show_tour
        from pusher.cli.demo_world import DemoWorld
    except ModuleNotFoundError as error:
        if error.name not in ("fakeredis", "rich"):
            raise
        raise click.ClickException(
            f"the demo needs {error.name}: pip install 'kazoo-pusher[demo]', or run scripts/demo"
        ) from error
    with DemoWorld(log_level="INFO" if verbose else "CRITICAL") as world:
        good = show_tour(world) if calls is None else show_many(world, calls)
    sys.exit(0 if good else 1)
