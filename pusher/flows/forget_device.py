"""A provider says that a token is dead: clear it from its device, unless the phone came back with it since."""

import logging
from typing import Any

from pusher.errors import DocumentMissing
from pusher.flows.device_document import DeviceDocument
from pusher.logs import event
from pusher.ports import Tokens
from pusher.redact import fingerprint
from pusher.registration.device import Device

log = logging.getLogger("pusher.flows")


class ForgetDevice:
    """Runs in a worker; doing it twice changes nothing the second time."""

    def __init__(self, *, document: DeviceDocument, tokens: Tokens) -> None:
        self._document = document
        self._tokens = tokens

    def __call__(self, device: Device, token: str, dead_since: float, *, again: bool = False) -> None:
        """Clear `token`, dead since epoch seconds `dead_since`. Raises `DocumentsUnavailable`, `StoreUnavailable`,
        `BusUnavailable`; trying again later, with `again`, is right then.
        """
        if not self._registered_before(device, token, dead_since):
            return

        def clear(document: dict[str, Any]) -> bool:
            push = document.get("push")
            holds_it = isinstance(push, dict) and push.get("Token-ID") == token
            if holds_it:
                del document["push"]
            return holds_it

        try:
            cleared = self._document.change(device, clear, again=again)
        except DocumentMissing:
            cleared = False
        self._tokens.forget(token, device)
        event(
            log,
            logging.INFO,
            "dead token forgotten" if cleared else "dead token was not the device's any more",
            account=device.account_id,
            device=device.device_id,
            token=fingerprint(token),
        )

    def _registered_before(self, device: Device, token: str, dead_since: float) -> bool:
        owner = self._tokens.owner(token)
        return owner is not None and owner.device == device and owner.registered_at < dead_since
