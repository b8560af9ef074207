"""`pusher dead`: messages that nobody could understand, or that nobody took in time."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from pusher import redact
from pusher.bus.dead_letters import DeadLetter, DeadLetters
from pusher.bus.publisher import BusPublisher
from pusher.bus.tls import TLS
from pusher.bus.topology import CALLS
from pusher.cli.table import printable, table
from pusher.errors import MessageInvalid
from pusher.messages import envelope
from pusher.settings import Settings

#: Bytes of a body that is no JSON which `show` prints.
_SHOWN_BYTES = 2000


@click.group()
def dead() -> None:
    """Messages kept in pusher.dead: what could not be understood, or came too late."""


@dead.command("list")
def list_dead() -> None:
    """List the dead letters, the oldest first.

    \b
    Example:
      pusher dead list
    """
    with _letters() as dead_letters:
        letters = dead_letters.read()
    rows = [
        (letter.letter_id, letter.at, letter.queue, letter.reason, letter.size, letter.problem) for letter in letters
    ]
    table(("ID", "At", "Queue", "Reason", "Bytes", "Problem"), rows)
    click.echo(f"{len(rows)} dead letters")


@dead.command()
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """Show one dead letter, its tokens as fingerprints.

    \b
    Example:
      pusher dead show 3f2a90c1d4
    """
    with _letters() as dead_letters:
        letter = next((letter for letter in dead_letters.read() if letter.letter_id == letter_id), None)
    if letter is None:
        raise click.ClickException(f"no dead letter {letter_id}: see pusher dead list")
    for name, value in (
        ("ID", letter.letter_id),
        ("At", letter.at),
        ("Queue", letter.queue),
        ("Exchange", letter.exchange),
        ("Reason", letter.reason),
        ("Problem", letter.problem),
        ("Bytes", letter.size),
    ):
        click.echo(f"{name}: {printable(value)}")
    click.echo(_body(letter))


@dead.command()
@click.argument("letter_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All but push requests.")
def requeue(letter_ids: tuple[str, ...], everything: bool) -> None:
    """Put dead letters back on the bus, as they first came. Tasks, and what is not kept whole, stay.

    A push request must be named: its call is most likely over, and putting it back rings a phone for nothing.

    \b
    Example:
      pusher dead requeue 3f2a90c1d4
    """
    if everything == bool(letter_ids):
        raise click.UsageError("name dead letters, or say --all")
    stays: set[str] = set()

    def wanted(letter: DeadLetter) -> bool:
        if letter.letter_id in letter_ids and not letter.can_return:
            stays.add(letter.letter_id)
        return letter.letter_id in letter_ids or (everything and letter.queue != CALLS)

    with _letters() as dead_letters:
        count = dead_letters.requeue(wanted)
    click.echo(f"{count} put back")
    if stays:
        raise click.ClickException(f"cannot go back, not from the bus or not kept whole: {', '.join(sorted(stays))}")
    if count < len(set(letter_ids)):
        raise click.ClickException(f"{len(set(letter_ids)) - count} not found: see pusher dead list")


@contextmanager
def _letters() -> Iterator[DeadLetters]:
    settings = Settings.from_environment()
    tls = TLS.of(settings.bus_url, settings.ca_file)
    with closing(BusPublisher(settings.bus_url, settings.node, tls=tls)) as publisher:
        yield DeadLetters(settings.bus_url, publisher, tls=tls)


def _body(letter: DeadLetter) -> str:
    try:
        return json.dumps(redact.message(envelope.decode(letter.body)), indent=2)
    except MessageInvalid:
        return printable(redact.text(letter.body[:_SHOWN_BYTES].decode("utf-8", "replace")))
