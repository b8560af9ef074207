"""A phone's push object changed: write it into the device's document, so that Kazoo bridges calls with it."""

import logging
from collections.abc import Callable
from typing import Any

from pusher.errors import DocumentMissing, StoreUnavailable
from pusher.flows.device_document import DeviceDocument
from pusher.logs import event
from pusher.ports import Tokens
from pusher.redact import fingerprint
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject

log = logging.getLogger("pusher.flows")

#: Seconds for which what was written is not looked at again: after a day, drift heals by itself.
LEARNED_FOR_S = 24 * 3600.0
#: Seconds for which a device without a document is not looked at again.
MISSING_FOR_S = 3600.0


class LearnDevice:
    """Runs in a worker; doing it twice changes nothing the second time."""

    def __init__(self, *, document: DeviceDocument, tokens: Tokens) -> None:
        self._document = document
        self._tokens = tokens

    def __call__(self, device: Device, push_object: PushObject, *, again: bool = False) -> None:
        """Write `push_object` unless the device registered with another one since. Raises `DocumentsUnavailable`,
        `BusUnavailable`; trying again later, with `again`, is right then.
        """
        if self._obsolete(device, push_object):
            self._give_up(device, again=again)
            return
        # While it is tried again and again, registrations make no further tasks.
        self._remember(lambda: self._tokens.mark_queued(device, push_object.digest))
        token, learned_for_s = push_object.token, LEARNED_FOR_S
        try:
            changed = self._document.change(
                device, lambda document: self._put(document, device, push_object), again=again
            )
            if changed:
                self._tell(logging.INFO, "device learned", device, push_object)
            elif self._obsolete(device, push_object):
                self._give_up(device, again=again)
                return
        except DocumentMissing as error:
            token, learned_for_s = None, MISSING_FOR_S
            self._tell(logging.WARNING, "device has no document", device, push_object, error=str(error))
        self._remember(lambda: self._tokens.mark_learned(device, push_object.digest, token=token, for_s=learned_for_s))

    def _give_up(self, device: Device, *, again: bool) -> None:
        """Leave the document to a newer push object. An earlier attempt of ours may have been written over it, long
        after its task found nothing to change: the next registration has that looked at.
        """
        if again:
            self._remember(lambda: self._tokens.unmark(device))

    @staticmethod
    def _remember(remember: Callable[[], None]) -> None:
        try:
            remember()
        except StoreUnavailable:
            # Not remembered: the next registration has the same written again, which changes nothing.
            return

    def _put(self, document: dict[str, Any], device: Device, push_object: PushObject) -> bool:
        # Looked at again after every conflict: the one who saved first may have been a newer registration.
        if document.get("push") == push_object.to_json() or self._obsolete(device, push_object):
            return False
        document["push"] = push_object.to_json()
        return True

    def _obsolete(self, device: Device, push_object: PushObject) -> bool:
        try:
            latest = self._tokens.latest(device)
        except StoreUnavailable:
            return False
        return latest is not None and latest != push_object.digest

    @staticmethod
    def _tell(level: int, message: str, device: Device, push_object: PushObject, /, **fields: object) -> None:
        event(
            log,
            level,
            message,
            account=device.account_id,
            device=device.device_id,
            app=push_object.app_id,
            token=fingerprint(push_object.token),
            **fields,
        )
