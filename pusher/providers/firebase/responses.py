"""What FCM's answers mean (Firebase, "REST error codes"; facts: providers.md 2).

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

#: What QUOTA_EXCEEDED asks for where it names no time.
QUOTA_DELAY_S = 60.0
_FCM_ERROR = "google.firebase.fcm.v1.FcmError"
_NAME = re.compile(r"[!-~]{1,256}")
_NOT_A_TOKEN = re.compile(r"not a valid (FCM )?registration token", re.IGNORECASE)


class Kind(Enum):
    """The kinds of answers other than 200."""

    DEAD = auto()
    #: Dead if the answer blames the token, else ours.
    ARGUMENT = auto()
    #: Wrong project for this token: no proof of death.
    MISMATCH = auto()
    #: Our request or our settings are at fault.
    OURS = auto()
    #: Our service account is not accepted.
    CREDENTIAL = auto()
    #: Again at once with a new access token; else as CREDENTIAL.
    NEW_TOKEN = auto()
    LATER = auto()
    #: Later; a minute at least where no time is named.
    QUOTA = auto()


class Row(NamedTuple):
    """What an answer means, and why."""

    kind: Kind
    because: str


#: By status and the error code of the FcmError detail; None stands for answers without one, such as HTML.
ANSWERS: Mapping[tuple[int, str | None], Row] = {
    # The app was removed, or the token replaced: the one answer that proves it.
    (404, "UNREGISTERED"): Row(Kind.DEAD, "the app was removed from the device"),
    # Also what a bad ttl or a reserved key gets, so only the violation or the text tells if it is the token.
    (400, "INVALID_ARGUMENT"): Row(Kind.ARGUMENT, "a field of the message is wrong"),
    # The token is fine, with the project that it was made for.
    (403, "SENDER_ID_MISMATCH"): Row(Kind.MISMATCH, "the token belongs to another Firebase project"),
    # The project sends too much: in practice past a call's deadline.
    (429, "QUOTA_EXCEEDED"): Row(Kind.QUOTA, "the project's quota is used up"),
    # The server's own trouble. It has been seen although the push was delivered.
    (503, "UNAVAILABLE"): Row(Kind.LATER, "FCM is unavailable"),
    (500, "INTERNAL"): Row(Kind.LATER, "FCM has an internal error"),
    # About the APNs or web push credential in the Firebase console: an operator has to look.
    (401, "THIRD_PARTY_AUTH_ERROR"): Row(Kind.CREDENTIAL, "the credential in the Firebase console is not accepted"),
    # The access token ended early or was revoked: a new one helps once.
    (401, None): Row(Kind.NEW_TOKEN, "the access token is not accepted"),
    # The API is disabled, or the account lacks the permission: nothing about the token.
    (403, None): Row(Kind.CREDENTIAL, "the API is disabled or the service account lacks the permission"),
    # Wrong project or address, such as the legacy API that was shut down: the token was not even looked at.
    (404, None): Row(Kind.OURS, "project or address is wrong: see settings firebase.service_account and firebase.host"),
    # A limit on the way to FCM, the same as a used-up quota.
    (429, None): Row(Kind.QUOTA, "too many requests"),
    # Proxies and load balancers on the way to FCM, with bodies of their own.
    (500, None): Row(Kind.LATER, "FCM has an internal error"),
    (502, None): Row(Kind.LATER, "FCM is unavailable"),
    (503, None): Row(Kind.LATER, "FCM is unavailable"),
    (504, None): Row(Kind.LATER, "FCM is unavailable"),
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
    body = read_object(response.body)
    if response.status == 200:
        name = body.get("name")
        known = isinstance(name, str) and _NAME.fullmatch(name)
        return Reading(outcome=Delivered(provider_ref=str(name) if known else push_id), kind=None)
    error = _object(body.get("error"))
    fcm_code = _fcm_code(error)
    code = fcm_code or word(error.get("status"))
    retry_after = retry_after_s(response, now)
    row = ANSWERS.get((response.status, fcm_code), ANSWERS.get((response.status, None)))
    if row is None:
        return Reading(outcome=unknown_answer("FCM", response.status, code, retry_after), kind=None)
    code = code or f"HTTP {response.status}"
    return Reading(outcome=_outcome(row, code, error, retry_after), kind=row.kind)


def _outcome(row: Row, code: str, error: Mapping[str, Any], retry_after: float | None) -> Outcome:
    detail = f"FCM refused the push: {row.because}."
    match row.kind:
        case Kind.DEAD:
            return TokenDead(code=code)
        case Kind.ARGUMENT if _blames_token(error):
            return TokenDead(code=code)
        case Kind.OURS | Kind.ARGUMENT:
            return Refused(reason=FailureReason.REFUSED, code=code, detail=detail)
        case Kind.MISMATCH:
            return Refused(reason=FailureReason.TOKEN_MISMATCH, code=code, detail=detail)
        case Kind.CREDENTIAL | Kind.NEW_TOKEN:
            return Refused(reason=FailureReason.CREDENTIAL_REFUSED, code=code, detail=detail)
        case Kind.LATER:
            return TryLater(code=code, retry_after_s=retry_after)
        case Kind.QUOTA:
            return TryLater(code=code, retry_after_s=QUOTA_DELAY_S if retry_after is None else retry_after)
        case _:
            assert_never(row.kind)


def _fcm_code(error: Mapping[str, Any]) -> str | None:
    """Return the error code of FCM's own detail; None where the error comes from something on the way."""
    for detail in _details(error):
        kind = detail.get("@type")
        if isinstance(kind, str) and kind.endswith(_FCM_ERROR):
            return word(detail.get("errorCode"))
    return None


def _blames_token(error: Mapping[str, Any]) -> bool:
    """Tell whether a field violation names the token or the text says that it is none."""
    message = error.get("message")
    if isinstance(message, str) and _NOT_A_TOKEN.search(message):
        return True
    violations = [each for detail in _details(error) for each in _objects(detail.get("fieldViolations"))]
    return any(violation.get("field") == "message.token" for violation in violations)


def _details(error: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _objects(error.get("details"))


def _objects(value: object) -> list[dict[str, Any]]:
    """Return the objects in `value` if it is a list, none otherwise."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
