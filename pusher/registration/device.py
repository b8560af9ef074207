"""Which device a registration is about."""

import re
from dataclasses import dataclass
from typing import Self

from pusher.errors import MessageInvalid

_ACCOUNT_ID = re.compile(r"[0-9a-f]{32}")
_DEVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_~.-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of an account; both ids are safe in database names and URLs."""

    #: 32 lower-case hex digits.
    account_id: str
    #: The document id.
    device_id: str

    @classmethod
    def of(cls, account_id: str | None, device_id: str | None) -> Self | None:
        """Return the device, None where either id is absent. Raises `MessageInvalid` for ids Kazoo cannot have."""
        if account_id is None or device_id is None:
            return None
        if not _ACCOUNT_ID.fullmatch(account_id):
            raise MessageInvalid("Account-ID", "is not 32 lower-case hex digits")
        if not _DEVICE_ID.fullmatch(device_id):
            raise MessageInvalid("Authorizing-ID", "is not a document id")
        return cls(account_id=account_id, device_id=device_id)

    @property
    def database(self) -> str:
        """The account's database, such as `account/00/11/2233...` (facts: kazoo.md 5)."""
        return f"account/{self.account_id[:2]}/{self.account_id[2:4]}/{self.account_id[4:]}"
