"""The push parameters of RFC 8599 in a Contact, with what Linphone makes of them (facts: sip.md 2).

Decides which app and token a phone means, or why neither can be told. What a stranger wrote never raises here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pusher.push.app import ProviderName
from pusher.registration.contact import ContactBinding

_PROVIDER, _PRID, _PARAM = "pn-provider", "pn-prid", "pn-param"

#: Values of pn-provider, and the ending of Token-App for each: the sandbox is an app of its own, on another host.
_PROVIDERS = {
    "apns": (ProviderName.APPLE, ""),
    # Linphone's name for the sandbox.
    "apns.dev": (ProviderName.APPLE, ".dev"),
    "fcm": (ProviderName.FIREBASE, ""),
    # Seen in the field, meaning fcm.
    "firebase": (ProviderName.FIREBASE, ""),
    "android": (ProviderName.FIREBASE, ""),
}
#: What an APNs token may be for, the one that rings for a call first.
_SERVICES = ("voip", "remote")

#: A bundle id or a Firebase project id. No label of it is as long as a token, so that it may be logged.
_APP_ID = re.compile(r"(?!.{129})(?=[A-Za-z0-9])[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_TEAM_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_LABELLED = re.compile(r"(?P<token>[^:]+)(?::(?P<label>voip|remote)?)?", re.IGNORECASE)
_SHORT_WORD = re.compile(r"[A-Za-z0-9._-]{1,32}")


class RefusalReason(StrEnum):
    """Why nothing is learned of a phone that speaks RFC 8599: the machine word in the log."""

    CAPABILITY_QUERY = "capability_query"
    UNSUPPORTED_PROVIDER = "unsupported_provider"
    NO_TOKEN = "no_token"
    MALFORMED_PARAM = "malformed_param"
    AMBIGUOUS_TOKENS = "ambiguous_tokens"
    UNSAFE_VALUE = "unsafe_value"
    UNKNOWN_APP = "unknown_app"
    SETTINGS_UNAVAILABLE = "settings_unavailable"


_SENTENCES = {
    RefusalReason.CAPABILITY_QUERY: "The phone asks which push services there are and names none.",
    RefusalReason.UNSUPPORTED_PROVIDER: "No push service is known by this pn-provider.",
    RefusalReason.NO_TOKEN: "The phone sends no pn-prid: it wants no pushes.",
    RefusalReason.MALFORMED_PARAM: "pn-param does not name an app of this push service.",
    RefusalReason.AMBIGUOUS_TOKENS: "pn-prid does not tell which token is for which service of pn-param.",
    RefusalReason.UNSAFE_VALUE: "A value is too long, or must not go into a SIP header.",
    RefusalReason.UNKNOWN_APP: "The settings have no credential for this app.",
    RefusalReason.SETTINGS_UNAVAILABLE: "The settings were not read yet, so no app is known.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A phone that speaks RFC 8599 and is not learned. Nothing in it is secret."""

    reason: RefusalReason
    #: The app, where it is known; printable, at most 140 characters.
    app_id: str | None = None
    #: The phone's pn-provider where it is one short word.
    provider: str | None = None

    @property
    def sentence(self) -> str:
        """What the reason means."""
        return _SENTENCES[self.reason]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushParams:
    """What a phone says of itself; whether anybody knows its app is not checked here."""

    provider: ProviderName
    #: Token-App: the FCM project; for APNs the topic, and `.dev` behind it for the sandbox.
    app_id: str
    #: Token-ID: the token that a call is pushed to. Untrusted.
    token: str = field(repr=False)


def may_hold(contact: str) -> bool:
    """Tell, without parsing the header, whether `read` could find anything."""
    return _PROVIDER in contact.lower()


def read(bindings: Sequence[ContactBinding]) -> PushParams | Refusal | None:
    """Return what the first binding that can be understood says, else why the first with pn-provider cannot."""
    found = [_read(binding) for binding in bindings if binding.param(_PROVIDER) is not None]
    understood = (each for each in found if isinstance(each, PushParams))
    return next(understood, found[0] if found else None)


def _read(binding: ContactBinding) -> PushParams | Refusal:
    written = binding.param(_PROVIDER) or ""
    if not written:
        return Refusal(reason=RefusalReason.CAPABILITY_QUERY)
    shown = written if _SHORT_WORD.fullmatch(written) else None
    if written.lower() not in _PROVIDERS:
        return Refusal(reason=RefusalReason.UNSUPPORTED_PROVIDER, provider=shown)
    prid = binding.param(_PRID) or ""
    # A lone & is what Linphone joins two absent tokens with.
    if not prid.strip("&"):
        return Refusal(reason=RefusalReason.NO_TOKEN, provider=shown)
    provider, ending = _PROVIDERS[written.lower()]
    param = binding.param(_PARAM) or ""
    found = _apple(param, prid) if provider is ProviderName.APPLE else _firebase(param, prid)
    if isinstance(found, RefusalReason):
        return Refusal(reason=found, provider=shown)
    app_id, token = found
    return PushParams(provider=provider, app_id=app_id + ending, token=token)


def _firebase(project: str, token: str) -> tuple[str, str] | RefusalReason:
    return (project, token) if _APP_ID.fullmatch(project) else RefusalReason.MALFORMED_PARAM


def _apple(param: str, prid: str) -> tuple[str, str] | RefusalReason:
    """Return the topic and the token for a call."""
    team, _, app = param.partition(".")
    bundle, services = _services(app)
    if not (_TEAM_ID.fullmatch(team) and _APP_ID.fullmatch(bundle)):
        return RefusalReason.MALFORMED_PARAM
    tokens = _tokens(prid, services)
    for service in services:
        if tokens is not None and service in tokens:
            return (f"{bundle}.voip" if service == "voip" else bundle), tokens[service]
    return RefusalReason.AMBIGUOUS_TOKENS


def _services(app: str) -> tuple[str, list[str]]:
    """Return the bundle id and what its tokens may be for; `remote` where pn-param does not say."""
    bundle, _, last = app.rpartition(".")
    named = last.lower().split("&")
    if not set(named) <= set(_SERVICES):
        return app, ["remote"]
    return bundle, [service for service in _SERVICES if service in named]


def _tokens(prid: str, services: list[str]) -> dict[str, str] | None:
    """Return the token of each service; None where a reading would be a guess.

    A token without label takes the one service of pn-param that no label names. With two such tokens, or two such
    services, nobody can tell; nor where one label stands twice.
    """
    parts = [_LABELLED.fullmatch(part) for part in prid.split("&") if part]
    tokens: dict[str, str] = {}
    unlabelled = []
    for part in parts:
        if part is None:
            return None
        label = (part["label"] or "").lower()
        if label in tokens:
            return None
        if label:
            tokens[label] = part["token"]
        else:
            unlabelled.append(part["token"])
    free = [service for service in services if service not in tokens]
    if unlabelled and free:
        if len(unlabelled) > 1 or len(free) > 1:
            return None
        tokens[free[0]] = unlabelled[0]
    return tokens
