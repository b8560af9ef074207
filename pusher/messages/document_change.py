"""doc_edited and doc_created: a document changed, so caches of it are stale (facts: kazoo.md 5)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentChange:
    """A change of one document."""

    #: True for doc_created, False for doc_edited.
    created: bool
    #: Database name with slashes, such as `account/00/11/2233...` or `system_config`.
    database: str
    doc_id: str
    #: pvt_type of the document, such as `device`; None where it has none.
    doc_type: str | None = None
    rev: str | None = None
    account_id: str | None = None
