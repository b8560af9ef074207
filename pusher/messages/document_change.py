"""doc_edited and doc_created: a document changed, so caches of it are stale (facts: kazoo.md 5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pusher.errors import MessageInvalid
from pusher.messages import envelope, fields


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

    @property
    def routing_key(self) -> str:
        """The key on exchange `configuration`."""
        doc_type, doc_id = self.doc_type or "undefined", envelope.routing_word(self.doc_id)
        return f"{self._event}.{self._encoded_database}.{doc_type}.{doc_id}"

    def to_message(self, node: str) -> dict[str, Any]:
        """Return the fields of the message that `node` (`pusher@<host>`) sends."""
        message = {
            "ID": self.doc_id,
            "Type": self.doc_type,
            # Kazoo names databases with %2F, and drops only what it cached under exactly this name.
            "Database": self._encoded_database,
            "Rev": self.rev,
            "Account-ID": self.account_id,
            "Is-Soft-Deleted": False,
        }
        present = {key: value for key, value in message.items() if value is not None}
        return envelope.headers("configuration", self._event, node) | present

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """Return what a doc_created, doc_edited or doc_deleted says. Raises `MessageInvalid`."""
        event = fields.text(message, "Event-Name")
        if event not in ("doc_created", "doc_edited", "doc_deleted"):
            raise MessageInvalid("Event-Name", "is not a change of a document")
        return cls(
            created=event == "doc_created",
            database=fields.text(message, "Database").replace("%2F", "/"),
            doc_id=fields.text(message, "ID"),
            doc_type=fields.optional_text(message, "Type"),
            rev=fields.optional_text(message, "Rev"),
            account_id=fields.optional_text(message, "Account-ID"),
        )

    @property
    def _event(self) -> str:
        return "doc_created" if self.created else "doc_edited"

    @property
    def _encoded_database(self) -> str:
        return self.database.replace("/", "%2F")
