"""A push on its way: what the listener hands to a worker, and the worker to a provider."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pusher.clock import Deadline
from pusher.errors import MessageInvalid
from pusher.messages import fields
from pusher.messages.push_request import MAX_EXPIRES_S, PushRequest
from pusher.push.app import ProviderName

#: Epoch seconds of the year 2286: a task that names a later time was not written by Pusher.
_LATEST = 1e10
_PUSH_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PUSH_IDS = uuid.UUID("6f2f4a52-6d1c-5b0e-9d3a-0f3c5be0a1d7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One push to one device; the same value in every attempt."""

    request: PushRequest
    provider: ProviderName
    #: Lower-case UUID, the apns-id: the same for every attempt and every redelivery of the request.
    push_id: str
    #: Epoch seconds when the push_req arrived.
    received_at: float
    #: Epoch seconds after which nothing is sent any more.
    expires_at: float
    #: Whether its request came before, so that the push may be out already.
    again: bool = False
    #: Whether the waiting call was written down; where not, nobody else can answer it.
    remembered: bool = True

    @classmethod
    def of(
        cls,
        request: PushRequest,
        provider: ProviderName,
        *,
        received_at: float,
        wake_window_s: float,
        again: bool = False,
    ) -> Self:
        """Return the push that `request`, arrived at epoch seconds `received_at`, asks for.

        The push id is derived from Server-ID and Msg-ID, so that a request which the bus delivers twice is one push.
        """
        expires_s = wake_window_s if request.expires_s is None else request.expires_s
        if request.msg_id is None:
            push_id = uuid.uuid4()
        else:
            push_id = uuid.uuid5(_PUSH_IDS, f"{request.server_id} {request.msg_id} {request.token}")
        return cls(
            request=request,
            provider=provider,
            push_id=str(push_id),
            received_at=received_at,
            expires_at=received_at + expires_s,
            again=again,
        )

    @property
    def deadline(self) -> Deadline:
        """The deadline on this process' clock; take it once and hand it on."""
        return Deadline.at_epoch(self.expires_at)

    def to_task(self) -> dict[str, Any]:
        """Return the JSON form that travels as a Celery task's argument."""
        return {
            "request": self.request.to_message(),
            "provider": str(self.provider),
            "push_id": self.push_id,
            "received_at": self.received_at,
            "expires_at": self.expires_at,
            "again": self.again,
            "remembered": self.remembered,
        }

    @classmethod
    def from_task(cls, argument: object) -> Self:
        """Return the value that `to_task` wrote. Raises `MessageInvalid` for what it could not have written."""
        task = _object(argument, "notification")
        provider = fields.text(task, "provider")
        if provider not in list(ProviderName):
            raise MessageInvalid("provider", "is not one of ours")
        received_at, expires_at = _time(task, "received_at"), _time(task, "expires_at")
        # What is rounded is no reason.
        if abs(expires_at - received_at) > MAX_EXPIRES_S + 1:
            raise MessageInvalid("expires_at", "is out of range")
        return cls(
            request=PushRequest.from_message(_object(task.get("request"), "request")),
            provider=ProviderName(provider),
            push_id=_push_id(task),
            received_at=received_at,
            expires_at=expires_at,
            # A task of an earlier release does not say.
            again=task.get("again") is not False,
            remembered=task.get("remembered") is not False,
        )


def _object(value: object, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MessageInvalid(key, "is not an object")
    return value


def _push_id(task: Mapping[str, Any]) -> str:
    """Return the push id, which becomes a header. Raises `MessageInvalid`."""
    push_id = fields.text(task, "push_id")
    if not _PUSH_ID.fullmatch(push_id):
        raise MessageInvalid("push_id", "is not a UUID in lower case")
    return push_id


def _time(task: Mapping[str, Any], key: str) -> float:
    """Return epoch seconds. Raises `MessageInvalid`."""
    value = fields.number(task, key, at_most=_LATEST)
    if value is None:
        raise MessageInvalid(key, "is missing")
    return value
