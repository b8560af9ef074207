"""What a registration says of its phone: decided here alone, for the listener and for `test-user-agent`.

The rule that the User-Agent meets comes first, then the parameters of RFC 8599, which need no rule.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar, assert_never

from pusher.errors import DocumentsUnavailable, MessageInvalid
from pusher.messages.registration import Registration
from pusher.push.app import App, FirebaseApp, ProviderName
from pusher.registration import contact, push_object, rfc8599
from pusher.registration.contact import ContactBinding
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from pusher.registration.rfc8599 import PushParams, Refusal, RefusalReason
from pusher.registration.user_agents import UserAgentRule, first_match

T = TypeVar("T")


class FindApp(Protocol):
    """`ports.Settings.app`."""

    def __call__(self, app_id: str, provider: ProviderName, *, own: bool = False) -> App | None:
        """Return an app's settings, None for one that nobody knows. May raise `DocumentsUnavailable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one registration says. Nothing at all, for a desk phone."""

    #: The rule that the User-Agent meets, whether or not it found a token.
    rule: UserAgentRule | None = None
    #: Whether the token was found by RFC 8599 and not by the rule.
    by_rfc8599: bool = False
    #: The push token by which waiting calls are found, even where nothing is learned.
    token: str | None = field(default=None, repr=False)
    #: The token that let the REGISTER in, by which waiting calls are found too.
    registration_token: str | None = field(default=None, repr=False)
    #: What is learned; None where there is nothing to learn, or it must not be learned.
    push_object: PushObject | None = None
    #: Why parameters of RFC 8599 are not learned.
    refusal: Refusal | None = None
    #: Whose registration it is, where the message says.
    device: Device | None = None
    #: What is wrong with the message; to be raised once waiting calls are answered.
    problem: MessageInvalid | None = None


def read(registration: Registration, rules: Iterable[UserAgentRule], find_app: FindApp) -> Reading:
    """Return what `registration` says under `rules`. Raises nothing that a stranger could cause."""
    rule = first_match(rules, registration.user_agent)
    if rule is None and not _may_say_more(registration):
        return Reading()
    problems: list[MessageInvalid] = []
    bindings = _unless_invalid(problems, lambda: contact.parse(registration.contact)) or ()
    live = push_object.live(bindings)
    if bindings and not live:
        return Reading(rule=rule)
    reading = _by_rule(rule, live, registration, problems) or _by_rfc8599(live, registration, find_app)
    device = _unless_invalid(problems, lambda: Device.of(registration.account_id, registration.device_id))
    return replace(
        reading,
        rule=rule,
        registration_token=push_object.registration_token(live, registration),
        device=device,
        problem=problems[0] if problems else None,
    )


def _may_say_more(registration: Registration) -> bool:
    """Tell, without parsing, whether a registration that no rule knows says more than a desk phone's."""
    return push_object.may_hold_registration_token(registration) or rfc8599.may_hold(registration.contact)


def _by_rule(
    rule: UserAgentRule | None,
    bindings: Sequence[ContactBinding],
    registration: Registration,
    problems: list[MessageInvalid],
) -> Reading | None:
    """Return what `rule` finds, None where it finds no token; what is wrong is added to `problems`."""
    token = None if rule is None else push_object.token(rule, bindings)
    if rule is None or token is None:
        return None
    learned = _unless_invalid(problems, lambda: push_object.read(rule, bindings, registration.fields))
    return Reading(token=token, push_object=learned)


def _by_rfc8599(bindings: Sequence[ContactBinding], registration: Registration, find_app: FindApp) -> Reading:
    params = rfc8599.read(bindings)
    match params:
        case None:
            return Reading()
        case Refusal():
            return Reading(by_rfc8599=True, refusal=params)
        case PushParams():
            learned = _learnable(params, registration, find_app)
        case _:
            assert_never(params)
    reading = Reading(by_rfc8599=True, token=params.token)
    if isinstance(learned, RefusalReason):
        return replace(reading, refusal=Refusal(reason=learned, app_id=params.app_id, provider=params.provider))
    return replace(reading, push_object=learned)


def _learnable(params: PushParams, registration: Registration, find_app: FindApp) -> PushObject | RefusalReason:
    """Return the push object of a phone whose app the settings know.

    Learning another one would make Kazoo send its calls to pushes that can only fail.
    """
    try:
        app_id = _known_id(params, find_app)
    except DocumentsUnavailable:
        return RefusalReason.SETTINGS_UNAVAILABLE
    if app_id is None:
        return RefusalReason.UNKNOWN_APP
    values = {
        "Token-App": app_id,
        "Token-Type": str(params.provider),
        "Token-ID": params.token,
        "Token-Proxy": registration.fields.get("Proxy-Path"),
    }
    try:
        return push_object.of(values)
    except MessageInvalid:
        return RefusalReason.UNSAFE_VALUE


def _known_id(params: PushParams, find_app: FindApp) -> str | None:
    """Return the id under which the settings know the phone's app: one of its own, else one that `default` serves."""
    ids = [params.app_id]
    if params.provider is ProviderName.APPLE:
        # What older versions of the same Linphone app register with, and operators have in their settings.
        ids.append(f"{params.app_id}.prod")
    for app_id in ids:
        own = find_app(app_id, params.provider, own=True)
        if own is not None and own.has_credential:
            return app_id
    # A host alone under `default` does not make a stranger's app ours, nor does a legacy key, which serves no app.
    default = find_app(params.app_id, params.provider)
    legacy = isinstance(default, FirebaseApp) and default.service_account is None
    return params.app_id if default is not None and default.has_credential and not legacy else None


def _unless_invalid(problems: list[MessageInvalid], read_part: Callable[[], T]) -> T | None:
    """Return what `read_part` returns; what it finds wrong is added to `problems`."""
    try:
        return read_part()
    except MessageInvalid as problem:
        problems.append(problem)
        return None
