"""reg_success: a phone registered (facts: kazoo.md 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pusher.errors import MessageInvalid
from pusher.messages.envelope import routing_word
from pusher.messages.fields import lenient_text


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

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """Return what the fields of a reg_success say. Raises `MessageInvalid` for a binding without Contact.

        Anything else may be missing or of the wrong type: a waiting call is answered all the same.
        """
        active = _active(message)
        contact = lenient_text(message, "Contact")
        if active and contact is None:
            raise MessageInvalid("Contact", "is missing")
        variables = message.get("Custom-Channel-Vars")
        variables = variables if isinstance(variables, Mapping) else {}
        return cls(
            active=active,
            user_agent=lenient_text(message, "User-Agent") or "",
            contact=contact or "",
            account_id=lenient_text(variables, "Account-ID") or lenient_text(message, "Account-ID"),
            device_id=lenient_text(variables, "Authorizing-ID") or lenient_text(message, "Authorizing-ID"),
            call_id=lenient_text(message, "Call-ID"),
            registration_token=next((found for key in _TOKEN_REG if (found := lenient_text(message, key))), None),
            fields={key: value for key, value in message.items() if isinstance(value, str)},
        )


def registration_routing_key(realm: str, user: str) -> str:
    """Return the routing key under which a registration of `user` at `realm` is announced."""
    return f"registration.success.{routing_word(realm)}.{routing_word(user)}"


_TOKEN_REG = ("X-Token-Reg", "x-token-reg", "Token-Reg")


def _active(message: Mapping[str, Any]) -> bool:
    """Tell whether a binding was made; only a clear word says that none was."""
    if message.get("Status") == "Unregistered":
        return False
    expires = message.get("Expires")
    if isinstance(expires, str):
        return expires.strip() != "0"
    return expires is None or isinstance(expires, bool) or expires != 0
