"""Prints rows as a plain table whose columns line up, safe for values that strangers wrote."""

from collections.abc import Sequence

import click


def printable(value: object) -> str:
    """Return `value` in one line that cannot move the cursor or colour the screen."""
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print `rows` below `headings`; nothing at all without rows."""
    if not rows:
        return
    lines = [tuple(headings), *(tuple(printable(value) for value in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        click.echo("  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip())
