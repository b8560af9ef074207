"""`pusher maintenance`: apps and User-Agents in the pusher document; every change is announced on the bus."""

from collections.abc import Callable
from typing import Any

import click

Change = Callable[[dict[str, Any]], None]


@click.group()
def maintenance() -> None:
    """Apps, their credentials, and the phones that push."""
