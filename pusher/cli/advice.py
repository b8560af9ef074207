"""What a provider's verdict means in words and what to do next: the table Push-Reason of docs/operating.md."""

from collections.abc import Mapping
from typing import NamedTuple

from pusher.providers.apple import responses as apple
from pusher.providers.firebase import responses as firebase
from pusher.push.app import ProviderName
from pusher.push.outcome import FailureReason


class Advice(NamedTuple):
    """Two sentences for an operator."""

    means: str
    todo: str


ADVICE: Mapping[FailureReason, Advice] = {
    FailureReason.UNKNOWN_APP: Advice(
        "Neither the app nor default has settings for this provider.",
        "Add the app under the id in the field app.",
    ),
    FailureReason.APP_DISABLED: Advice(
        "The app is disabled for this provider.",
        "pusher maintenance enable-app, if that is not intended.",
    ),
    FailureReason.NO_CREDENTIAL: Advice(
        "The app has no credential, or one that fails its checks; detail says which.",
        "Add the credential again, or set the PUSHER_SECRET_KEY that it was encrypted with: see Certificates and keys.",
    ),
    FailureReason.LEGACY_KEY: Advice(
        "The app has only a legacy FCM server key.",
        "Add a service account with pusher maintenance add-firebase-app.",
    ),
    FailureReason.UNKNOWN_TOKEN_TYPE: Advice(
        "No provider serves this Token-Type.",
        "Look at the phone's registration and at the rule's Token-Type parameter.",
    ),
    FailureReason.MALFORMED_TOKEN: Advice(
        "The token cannot be one of this provider's; it was not sent.",
        "Look at the rule's Token-ID parameter and at what the app registers.",
    ),
    FailureReason.DEAD_TOKEN: Advice(
        "The provider says that the token will never work again.",
        "Have the app opened, so that it registers with a new token; a call that meets the dead one has it forgotten.",
    ),
    FailureReason.TOKEN_MISMATCH: Advice(
        "The token is of another environment, topic or Firebase project. The token is kept.",
        "Compare sandbox and production, topic, and project: see Sandbox and production.",
    ),
    FailureReason.CREDENTIAL_REFUSED: Advice(
        "The provider, or Google's token server, does not accept the credential.",
        "Read detail. A revoked key, a wrong team, a clock that is off, an API that is not enabled, no permission.",
    ),
    FailureReason.PAYLOAD_TOO_LARGE: Advice(
        "The push is too large even without its optional texts.",
        "Shorten Payload in Kamailio.",
    ),
    FailureReason.REFUSED: Advice(
        "Any other refusal: host, topic, header or payload. code and detail name it.",
        "Look at the app's settings in the pusher document.",
    ),
    FailureReason.PROVIDER_UNAVAILABLE: Advice(
        "The provider was not reached, or asked to come back later.",
        "Look at code: network, proxy, quota, or the provider's own trouble.",
    ),
    FailureReason.INTERNAL_ERROR: Advice("A fault in Pusher.", "The log has a traceback: report it."),
}


def because(provider: ProviderName, code: str) -> str | None:
    """Return what the provider's word `code` says, as in "the app was removed from the device"; None for no word."""
    rows = apple.ANSWERS if provider is ProviderName.APPLE else firebase.ANSWERS
    return next((row.because for (_, word), row in rows.items() if word == code), None)
