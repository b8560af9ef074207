"""reg_success: a phone registered (facts: kazoo.md 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A checked reg_success."""

    #: Whether a binding was made: False for Unregistered and for Expires 0.
    active: bool
    #: The User-Agent header; empty where absent. Untrusted.
    user_agent: str
    #: The whole Contact header, untrusted.
    contact: str = field(repr=False)
    #: Account-ID, where the sender knows it.
    account_id: str | None
    #: Authorizing-ID: the device's document id, where the sender knows it.
    device_id: str | None
    #: Call-ID of the REGISTER.
    call_id: str | None
    #: The message's x-token-reg, where Kamailio passes the header on; it may also hide in the Contact.
    registration_token: str | None = field(repr=False)
    #: The message's own top-level texts, for mapped properties such as Token-Proxy (facts: sip.md 1).
    fields: Mapping[str, Any] = field(repr=False)
