"""Changes a device's document and nothing in it but `push`, whoever else edits it meanwhile; then tells Kazoo."""

from collections.abc import Callable
from typing import Any

from pusher.edit import edit
from pusher.errors import DocumentMissing
from pusher.messages.document_change import DocumentChange
from pusher.ports import Announce, Documents, Saved
from pusher.registration.device import Device


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
        document, saved = edit(self._documents, device.database, lambda: self._read(device), apply)
        if saved is None and not again:
            return False
        self._tell(device, document, saved)
        return saved is not None

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
