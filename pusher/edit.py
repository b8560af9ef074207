"""Edits a document that others edit too: reads, changes and saves it, again after every conflict."""

from collections.abc import Callable
from typing import Any

from pusher.errors import DocumentConflict, DocumentsUnavailable
from pusher.ports import Documents, Saved

#: How often one change is applied again because somebody else saved first.
MAX_CONFLICTS = 10

Document = dict[str, Any]


def edit(
    documents: Documents, database: str, read: Callable[[], Document], apply: Callable[[Document], bool]
) -> tuple[Document, Saved | None]:
    """Have `apply` change in place what `read` returns, save it, and return both.

    Nothing is saved where `apply` says False or raises. Raises what `read` and `apply` raise, `DocumentMissing` and
    `DocumentsUnavailable`.
    """
    for _ in range(MAX_CONFLICTS):
        document = read()
        if not apply(document):
            return document, None
        try:
            return document, documents.save(database, document)
        except DocumentConflict:
            continue
    raise DocumentsUnavailable(f"the document changed {MAX_CONFLICTS} times while it was being saved")
