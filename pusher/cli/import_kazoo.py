"""`pusher maintenance import-kazoo`: copies another installation's pusher document into ours, and says what it did."""

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import click

from pusher import redact
from pusher.cli.change import change
from pusher.cli.hush import hushed
from pusher.cli.import_report import report
from pusher.cli.table import printable
from pusher.clock import utcnow
from pusher.documents import pusher_document
from pusher.documents.couchdb import CouchDBDocuments
from pusher.documents.import_kazoo import Part, Verdict, merge
from pusher.documents.sealed import SecretKeys
from pusher.errors import DocumentMissing
from pusher.settings import Settings
from pusher.wiring import Edges


@click.command("import-kazoo")
@click.argument("url")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def import_kazoo(url: str, dry_run: bool) -> None:
    """Copy apps and User-Agent rules from the CouchDB of a Kazoo installation.

    What is already here stays as it is. If URL names a user without a password, the password is asked for.

    \b
    Example:
      pusher maintenance import-kazoo https://admin@couchdb.example.com:5984 --dry-run
    """
    settings = Settings.from_environment()
    url = _with_password(url)
    # What is skipped is told here, with the rest.
    with hushed():
        theirs = _read(url, settings.ca_file)
        with Edges.of(settings) as edges:
            ours = pusher_document.read(edges.documents)
            keys = edges.secret_keys
        parts = merge(ours, theirs, settings.zone, keys)
        if not dry_run and any(part.verdict is Verdict.COPIED for part in parts):
            ours, parts = _import(theirs, settings.zone, keys)
        report(ours, parts, utcnow(), zone=settings.zone, keys=keys, dry_run=dry_run)


def _import(theirs: Mapping[str, Any], zone: str | None, keys: SecretKeys) -> tuple[dict[str, Any], tuple[Part, ...]]:
    """Merge, save and announce; return our document as it was saved, and what became of each part."""
    merged: list[tuple[dict[str, Any], tuple[Part, ...]]] = []
    # Applied again after every conflict: the last time counts.
    change(lambda document: merged.append((document, merge(document, theirs, zone, keys))))
    return merged[-1]


def _read(url: str, ca_file: str | None) -> dict[str, Any]:
    """Return the pusher document at `url`. Raises `click.ClickException`, `SettingsInvalid`, `DocumentsUnavailable`."""
    documents = CouchDBDocuments.from_url(url, ca_file=ca_file, name="URL")
    try:
        return documents.read(pusher_document.DATABASE, pusher_document.DOC_ID)
    except DocumentMissing as error:
        problem = "has no document pusher in database system_config: is it Kazoo's CouchDB?"
        raise click.ClickException(f"{printable(redact.url(url))} {problem}") from error
    finally:
        documents.close()


def _with_password(url: str) -> str:
    """Return `url` with the password that is asked for where it names a user without one: arguments of a command
    are seen in the list of processes and in the shell's history.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    user, at, host = parts.netloc.rpartition("@")
    if not at or ":" in user:
        return url
    password = _ask(printable(f"Password of {user} at {host}"))
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def _ask(question: str) -> str:
    """Return what is typed unseen, or else the first line of standard input: another program may hold the password."""
    if sys.stdin.isatty():
        return str(click.prompt(question, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
