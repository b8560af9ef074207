"""What a provider's answer means for the push, the token and the waiting call."""

from dataclasses import dataclass
from enum import StrEnum


class FailureReason(StrEnum):
    """Why a push failed: the machine word in `Push-Reason`, in logs and metrics."""

    UNKNOWN_APP = "unknown_app"
    APP_DISABLED = "app_disabled"
    #: The app has no credential for this provider, or one that cannot be used.
    NO_CREDENTIAL = "no_credential"
    #: The app has only a legacy FCM server key, which Google shut down.
    LEGACY_KEY = "legacy_key"
    UNKNOWN_TOKEN_TYPE = "unknown_token_type"
    #: The token could never be one of this provider's: it is not put on the wire.
    MALFORMED_TOKEN = "malformed_token"
    #: The provider says the token will never work again.
    DEAD_TOKEN = "dead_token"
    #: Wrong environment, topic or project for this token: no proof that it is dead.
    TOKEN_MISMATCH = "token_mismatch"
    #: The provider does not accept our credential.
    CREDENTIAL_REFUSED = "credential_refused"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    #: Any other refusal: our fault until proven otherwise.
    REFUSED = "refused"
    #: The provider could not be reached, or kept asking to come back later, until too little time was left.
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    #: An error of ours, with a traceback in the log.
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The provider accepted the push."""

    #: The provider's name for it: an apns-id, or FCM's message name.
    provider_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDead:
    """The token will never work again."""

    #: The provider's own word, such as `Unregistered`.
    code: str
    #: Epoch seconds since when the provider knows it, where it says.
    dead_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLater:
    """Not accepted now; the same push may be accepted later."""

    #: The provider's own word, such as `ServiceUnavailable`, or a phrase of ours for a failed connection.
    code: str
    #: Seconds the provider asked us to stay away, where it did.
    retry_after_s: float | None = None
    #: Whether it is about this one device, which is pushed to too often, and says nothing about the app.
    about_device: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not accepted, and not by trying again either. Says nothing against the token."""

    reason: FailureReason
    #: The provider's own word, or ours where the push never left us.
    code: str
    #: One sentence for `Error-Message`.
    detail: str


Outcome = Delivered | TokenDead | TryLater | Refused
