"""Saves a change of the pusher document and tells everybody."""

from collections.abc import Callable
from typing import Any

import click

from pusher.documents import pusher_document
from pusher.errors import BusUnavailable
from pusher.messages.document_change import DocumentChange
from pusher.settings import Settings
from pusher.wiring import Edges


def change(apply: Callable[[dict[str, Any]], bool | None]) -> None:
    """Save what `apply` does to the document and announce it; a process that misses this rereads within a minute.

    Where `apply` returns False, there is nothing to save or to announce.
    """
    with Edges.of(Settings.from_environment()) as edges:
        saved = pusher_document.change(edges.documents, apply)
        if saved is None:
            return
        announcement = DocumentChange(
            created=saved.created,
            database=pusher_document.DATABASE,
            doc_id=pusher_document.DOC_ID,
            rev=saved.rev,
        )
        try:
            edges.publisher.document_changed(announcement)
        except BusUnavailable:
            click.echo("The bus is away: running processes notice the change within a minute.", err=True)
