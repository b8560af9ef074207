"""Changes a device's document and nothing in it but `push`, whoever else edits it meanwhile; then tells Kazoo."""

from collections.abc import Callable
from typing import Any

from pusher.errors import DocumentConflict, DocumentMissing, DocumentsUnavailable
from pusher.messages.document_change import DocumentChange
from pusher.ports import Announce, Documents, Saved
from pusher.registration.device import Device

#: How often one change is applied again because somebody else saved first.
MAX_CONFLICTS = 10


class DeviceDocument:
    """Reads, changes, saves and announces, again after every conflict."""

    def __init__(self, documents: Documents, announce: Announce) -> None:
        self._documents = documents
        self._announce = announce

    def change(self, device: Device, apply: Callable[[dict[str, Any]], bool], *, again: bool = False) -> bool:
        """Have `apply` change the document in place; False from it, and from here, means nothing was to change.

        `again` tells that an earlier call failed: it may have saved and not announced, so what stands there is
        announced in any case. Raises `DocumentMissing`, `DocumentsUnavailable`, `BusUnavailable`.
        """
        for _ in range(MAX_CONFLICTS):
            document = self._read(device)
            changed = apply(document)
            if not (changed or again):
                return False
            try:
                saved = self._documents.save(device.database, document) if changed else None
            except DocumentConflict:
                continue
            self._tell(device, document, saved)
            return changed
        raise DocumentsUnavailable(f"the document changed {MAX_CONFLICTS} times while it was being saved")

    def _tell(self, device: Device, document: dict[str, Any], saved: Saved | None) -> None:
        self._announce.document_changed(
            DocumentChange(
                created=saved is not None and saved.created,
                database=device.database,
                doc_id=device.device_id,
                doc_type=document.get("pvt_type"),
                rev=document.get("_rev") if saved is None else saved.rev,
                account_id=device.account_id,
            )
        )

    def _read(self, device: Device) -> dict[str, Any]:
        try:
            return self._documents.read(device.database, device.device_id)
        except DocumentMissing:
            if not self._documents.creates_devices:
                raise
            return {
                "_id": device.device_id,
                "pvt_type": "device",
                "pvt_account_id": device.account_id,
                "pvt_account_db": device.database,
            }
