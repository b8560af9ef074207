"""What a registration teaches: the object `push` of a device document (facts: kazoo.md 3, sip.md 1)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pusher import redact
from pusher.errors import MessageInvalid
from pusher.messages.registration import Registration
from pusher.registration.contact import ContactBinding
from pusher.registration.user_agents import UserAgentRule

#: Characters of one value, and of a key.
MAX_VALUE = 4096
MAX_NAME = 255

_REGISTRATION_PARAM = "x-token-reg"


@dataclass(frozen=True, slots=True)
class PushObject:
    """The push keys of one device and their values; never empty ones."""

    #: Keys and values, in no particular order.
    entries: tuple[tuple[str, str], ...]

    @property
    def token(self) -> str | None:
        """Token-ID."""
        return self._value("Token-ID")

    @property
    def app_id(self) -> str | None:
        """Token-App."""
        return self._value("Token-App")

    @property
    def token_type(self) -> str | None:
        """Token-Type, as the phone sent it."""
        return self._value("Token-Type")

    @property
    def digest(self) -> str:
        """32 hex digits that are the same for equal objects, in every process and release."""
        return redact.digest(json.dumps(sorted(self.entries)))

    def to_json(self) -> dict[str, str]:
        """Return the JSON form, as it stands in the device document."""
        return dict(self.entries)

    def _value(self, key: str) -> str | None:
        return next((value for name, value in self.entries if name == key), None)

    def __repr__(self) -> str:
        token = redact.fingerprint(self.token)
        return f"PushObject(app_id={self.app_id!r}, token_type={self.token_type!r}, token={token})"


def read(rule: UserAgentRule, bindings: Sequence[ContactBinding], fields: Mapping[str, Any]) -> PushObject | None:
    """Return what the registration's Contact says under `rule`; None where it names no token.

    Of several bindings the first one with a token counts. `fields` are the message's own, for properties that
    the binding has no parameter for. Raises `MessageInvalid` for a value that must not go into a document.
    """
    # The proxy the phone registered through, unless a rule says otherwise.
    properties = {"Token-Proxy": "Proxy-Path", **dict(rule.properties)}
    binding = _with_token(rule, bindings)
    if binding is None:
        return None
    return of({key: binding.param(name) or fields.get(name) for key, name in properties.items()})


def of(values: Mapping[str, object]) -> PushObject:
    """Return the push object with `values`, empty ones left out. Raises `MessageInvalid` as `read` does."""
    return PushObject(tuple((key, _safe(key, value)) for key, value in values.items() if value))


def from_json(value: object) -> PushObject:
    """Return the push object whose JSON form is `value`. Raises `MessageInvalid`."""
    if not isinstance(value, Mapping) or not all(_is_name(key) for key in value):
        raise MessageInvalid("push_object", "does not map names to texts")
    return of(value)


def token(rule: UserAgentRule, bindings: Sequence[ContactBinding]) -> str | None:
    """Return the token that `read` would find, whatever else may be wrong with the registration."""
    binding = _with_token(rule, bindings)
    return None if binding is None else binding.param(dict(rule.properties)["Token-ID"])


def live(bindings: Sequence[ContactBinding]) -> tuple[ContactBinding, ...]:
    """Return those that are not being removed: one REGISTER may end a binding and make another (RFC 3261 10.2.2)."""
    return tuple(binding for binding in bindings if binding.param("expires") != "0")


def _with_token(rule: UserAgentRule, bindings: Sequence[ContactBinding]) -> ContactBinding | None:
    parameter = dict(rule.properties)["Token-ID"]
    return next((binding for binding in bindings if binding.param(parameter)), None)


def _is_name(key: object) -> bool:
    return isinstance(key, str) and 0 < len(key) <= MAX_NAME and key.isprintable()


def _safe(key: str, value: object) -> str:
    """Return `value`. Raises `MessageInvalid` for one that could do harm in the document.

    Kazoo makes a SIP header of each entry (`X-KAZOO-PUSHER-<key>`): a line break, percent-encoded in the
    Contact, would smuggle in headers of the phone's own.
    """
    if not isinstance(value, str):
        raise MessageInvalid(key, "is not a text")
    if len(value) > MAX_VALUE:
        raise MessageInvalid(key, f"is longer than {MAX_VALUE} characters")
    if not value.isprintable():
        raise MessageInvalid(key, "is not printable")
    return value


def may_hold_registration_token(registration: Registration) -> bool:
    """Tell, without parsing, whether `registration_token` could find one."""
    return registration.registration_token is not None or _REGISTRATION_PARAM in registration.contact.lower()


def registration_token(bindings: Sequence[ContactBinding], registration: Registration) -> str | None:
    """Return the token that let the REGISTER in, from the Contact or else from the message."""
    found = (binding.param(_REGISTRATION_PARAM) for binding in bindings)
    return next((token for token in found if token), registration.registration_token)
