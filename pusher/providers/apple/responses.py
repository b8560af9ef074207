"""What APNs' answers mean (Apple, "Handling notification responses from APNs"; facts: providers.md 1).

A fault of ours never counts against the token.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, NamedTuple, assert_never

from pusher.http2.request import Response
from pusher.providers.json_body import read_object, word
from pusher.providers.retry_after import retry_after_s
from pusher.providers.unknown_answer import unknown_answer
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater

_APNS_ID = re.compile(r"[0-9A-Fa-f-]{1,64}")
#: Milliseconds; a time beyond the year 9999 is no time.
_LAST_TIMESTAMP_MS = 253_402_300_800_000


class Kind(Enum):
    """The kinds of answers other than 200."""

    DEAD = auto()
    #: Wrong environment or topic for this token: no proof of death.
    MISMATCH = auto()
    #: Our request is at fault.
    OURS = auto()
    TOO_LARGE = auto()
    #: Our certificate, key or JWT is not accepted.
    CREDENTIAL = auto()
    LATER = auto()
    #: Later, because of this device.
    DEVICE_LATER = auto()
    #: Later, and not on this connection.
    NEW_CONNECTION = auto()
    #: Again at once with a new JWT on a new connection; else as CREDENTIAL.
    NEW_TOKEN = auto()
    #: Again at once on a new connection; else as CREDENTIAL.
    RESEND = auto()


class Row(NamedTuple):
    """What an answer means, and why."""

    kind: Kind
    because: str


ANSWERS: Mapping[tuple[int, str], Row] = {
    # Also what a good token of the other environment gets, so it proves nothing about the token.
    (400, "BadDeviceToken"): Row(Kind.MISMATCH, "the token is of the other environment (sandbox or production)"),
    # The token may be fine with the topic of the app that it was made for.
    (400, "DeviceTokenNotForTopic"): Row(Kind.MISMATCH, "the token was made for another app than our topic"),
    # From here on the request itself is wrong; sending it again changes nothing.
    (400, "BadCollapseId"): Row(Kind.OURS, "the collapse id is too long: see setting apple.headers"),
    (400, "BadExpirationDate"): Row(Kind.OURS, "the expiration is wrong: see setting apple.headers"),
    (400, "BadMessageId"): Row(Kind.OURS, "the apns-id is no UUID"),
    (400, "BadPriority"): Row(Kind.OURS, "the priority is wrong: see setting apple.headers"),
    (400, "BadTopic"): Row(Kind.OURS, "the topic is wrong: see setting apple.apns_topic"),
    (400, "DuplicateHeaders"): Row(Kind.OURS, "a header was sent twice: see setting apple.headers"),
    (400, "InvalidPushType"): Row(Kind.OURS, "the push type is wrong: see setting apple.push_type"),
    (400, "MissingDeviceToken"): Row(Kind.OURS, "the path held no token"),
    (400, "MissingTopic"): Row(Kind.OURS, "the certificate has several topics: set apple.apns_topic"),
    (400, "PayloadEmpty"): Row(Kind.OURS, "the payload was empty"),
    (400, "TopicDisallowed"): Row(Kind.OURS, "the credential is not for this topic: see setting apple.apns_topic"),
    # The server gave up on the connection, not on the push.
    (400, "IdleTimeout"): Row(Kind.NEW_CONNECTION, "the connection was idle for too long"),
    # The server does not know us, so it says nothing about the token; only an operator can help.
    (403, "BadCertificate"): Row(Kind.CREDENTIAL, "the certificate is not accepted"),
    (403, "BadCertificateEnvironment"): Row(Kind.CREDENTIAL, "the certificate is for the other environment"),
    (403, "BadEnvironmentKeyIdInToken"): Row(Kind.CREDENTIAL, "the key is for the other environment"),
    (403, "BadEnvironmentKeyInToken"): Row(Kind.CREDENTIAL, "the key is for the other environment"),
    (403, "Forbidden"): Row(Kind.CREDENTIAL, "the credential does not allow this"),
    (403, "InvalidProviderToken"): Row(Kind.CREDENTIAL, "key id, team id and key do not belong together"),
    (403, "MissingProviderToken"): Row(Kind.CREDENTIAL, "neither certificate nor token arrived"),
    # A clock may be off, or a process slept for an hour: a new token helps once.
    (403, "ExpiredProviderToken"): Row(Kind.NEW_TOKEN, "the provider token is too old, or our clock is wrong"),
    # A connection stays tied to the first team it saw; another one is not.
    (403, "UnrelatedKeyIdInToken"): Row(Kind.RESEND, "the connection is tied to another key"),
    # Wrong address, method or size: the same again would be as wrong.
    (404, "BadPath"): Row(Kind.OURS, "the path is wrong: see setting apple.host"),
    (405, "MethodNotAllowed"): Row(Kind.OURS, "the method is wrong: see setting apple.host"),
    (413, "PayloadTooLarge"): Row(Kind.TOO_LARGE, "the payload is too large"),
    # The two answers that prove it: the app was removed, or the token replaced.
    (410, "Unregistered"): Row(Kind.DEAD, "the app was removed from the device"),
    (410, "ExpiredToken"): Row(Kind.DEAD, "the token expired"),
    # Too many to this one device: it passes.
    (429, "TooManyRequests"): Row(Kind.DEVICE_LATER, "too many pushes to this device"),
    # The token in use stays good; renewing it again is what caused this.
    (429, "TooManyProviderTokenUpdates"): Row(Kind.LATER, "the provider token was renewed too often"),
    # The server's own trouble, short as a rule.
    (500, "InternalServerError"): Row(Kind.LATER, "APNs has an internal error"),
    (503, "ServiceUnavailable"): Row(Kind.LATER, "APNs is unavailable"),
    (503, "Shutdown"): Row(Kind.LATER, "the APNs server is shutting down"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an answer means."""

    #: What it means if nothing more is tried.
    outcome: Outcome
    #: None for 200 and for answers that the table does not know.
    kind: Kind | None


def read_answer(response: Response, push_id: str, now: datetime) -> Reading:
    """Return what `response` to the push `push_id` means at time `now`."""
    if response.status == 200:
        name = response.header("apns-id")
        known = name is not None and _APNS_ID.fullmatch(name)
        return Reading(outcome=Delivered(provider_ref=name if name and known else push_id), kind=None)
    body = read_object(response.body)
    reason = word(body.get("reason"))
    retry_after = retry_after_s(response, now)
    row = None if reason is None else ANSWERS.get((response.status, reason))
    if row is None or reason is None:
        return Reading(outcome=unknown_answer("APNs", response.status, reason, retry_after), kind=None)
    return Reading(outcome=_outcome(row, reason, body, retry_after), kind=row.kind)


def _outcome(row: Row, code: str, body: Mapping[str, Any], retry_after: float | None) -> Outcome:
    detail = f"APNs refused the push: {row.because}."
    match row.kind:
        case Kind.DEAD:
            return TokenDead(code=code, dead_since=_dead_since(body.get("timestamp")))
        case Kind.LATER | Kind.NEW_CONNECTION:
            return TryLater(code=code, retry_after_s=retry_after)
        case Kind.DEVICE_LATER:
            return TryLater(code=code, retry_after_s=retry_after, about_device=True)
        case Kind.MISMATCH:
            return Refused(reason=FailureReason.TOKEN_MISMATCH, code=code, detail=detail)
        case Kind.OURS:
            return Refused(reason=FailureReason.REFUSED, code=code, detail=detail)
        case Kind.TOO_LARGE:
            return Refused(reason=FailureReason.PAYLOAD_TOO_LARGE, code=code, detail=detail)
        case Kind.CREDENTIAL | Kind.NEW_TOKEN | Kind.RESEND:
            return Refused(reason=FailureReason.CREDENTIAL_REFUSED, code=code, detail=detail)
        case _:
            assert_never(row.kind)


def _dead_since(timestamp: object) -> float | None:
    """Return epoch seconds for APNs' milliseconds; None for what is no time."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        return None
    return timestamp / 1000 if 0 < timestamp < _LAST_TIMESTAMP_MS else None
