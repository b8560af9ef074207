"""Calls that wait for their phone: found by its push token, claimed by one process, gone at their deadline.

No script runs in Redis; a claim is a transaction that reads and deletes, and whoever deletes has it.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, cast

import redis
from redis.client import Pipeline

from pusher import redact
from pusher.errors import StoreUnavailable
from pusher.logs import event
from pusher.ports import Arrival, AwakePhone
from pusher.push.wait import Wait
from pusher.registration.device import Device
from pusher.stores import keys
from pusher.stores.connection import RedisOutage
from pusher.stores.tokens import read_owner, record_registration

log = logging.getLogger("pusher.stores")

#: What a call's value holds, in this order; its push id is the name of the hash's field.
_FIELDS = tuple(field.name for field in fields(Wait) if field.name != "push_id")


class RedisWaits:
    """Implements `ports.Waits`."""

    def __init__(self, client: "redis.Redis", *, now: Callable[[], float] = time.time) -> None:
        self._redis = client
        self._outage = RedisOutage.of(client)
        self._now = now

    def add(self, *waits: Wait) -> None:
        """Remember each until it is claimed or its deadline passes. Adding it twice is adding it once."""
        now = self._now()
        in_time = [wait for wait in waits if wait.expires_at > now]
        if not in_time:
            return
        deadlines: dict[str, float] = {}
        with self._outage.noticed(), self._redis.pipeline(transaction=True) as commands:
            for wait in in_time:
                token, lives_s = redact.digest(wait.token), math.ceil(wait.expires_at - now)
                deadlines[token] = max(wait.expires_at, deadlines.get(token, 0.0))
                commands.hset(keys.waits(token), wait.push_id, _to_json(wait))
                _let_live(commands, keys.waits(token), lives_s)
                if wait.registration_token is not None:
                    registration = keys.registration(redact.digest(wait.registration_token))
                    commands.hset(registration, token, "")
                    _let_live(commands, registration, lives_s)
            # Claimed calls stay listed here, as phones where nobody waits any more, until they are trimmed.
            commands.zremrangebyscore(keys.DEADLINES, "-inf", now)
            commands.zadd(keys.DEADLINES, deadlines, gt=True)
            _let_live(commands, keys.DEADLINES, math.ceil(max(deadlines.values()) - now))
            # Once claimed, a call is as absent as one that Redis forgot: only this tells them apart.
            commands.set(keys.SINCE, min(wait.received_at for wait in in_time), nx=True)
            commands.execute()

    def claim(self, wait: Wait) -> bool:
        """Take `wait` away; True for exactly one caller, False when it was claimed before or its deadline passed.

        True as well where Redis was emptied since the call arrived, by a restart for example.
        """
        with self._outage.noticed(), self._redis.pipeline(transaction=True) as commands:
            commands.hdel(keys.waits(redact.digest(wait.token)), wait.push_id)
            commands.get(keys.SINCE)
            deleted, since = commands.execute()
        lost = since is None or float(since) > wait.received_at
        return bool((deleted or lost) and wait.expires_at > self._now())

    def arrive(self, *phones: AwakePhone) -> list[Arrival]:
        """Claim for each phone all that waits for its tokens, and for the one in its device's document, if it still is
        its own.

        Where `device` and `digest` are known, `device` is from now on the owner of `token`, and the push object with
        `digest` its latest. One round trip for all, unless another token than `token` leads to calls.
        The document's token stays the same until a worker has written another one: whoever calls the old one meanwhile
        is found, and so is a call that was put back.
        """
        now = self._now()
        with self._outage.noticed(), self._redis.pipeline(transaction=True) as commands:
            questions = [_Question.put(commands, phone, now) for phone in phones]
            replies = commands.execute()
        return [self._arrival(question, replies) for question in questions]

    def _arrival(self, question: "_Question", replies: Sequence[Any]) -> Arrival:
        """Return what Redis replied about a phone, with what other tokens than the phone's own lead to."""
        waits, tokens, learned, before = question.answers(replies)
        own, device = question.token, question.phone.device
        others = {other for other in tokens if other != own}
        try:
            if device and before and before not in (own, *others) and self._owns(device, before):
                others.add(before)
            if others:
                waits += self._take_all(sorted(others))
        except StoreUnavailable as error:
            # What is claimed must reach the caller all the same: nobody else can answer it.
            event(log, logging.WARNING, "waiting calls were not all claimed", error=str(error))
        return Arrival(waits=tuple(self._in_time(waits)), learned=learned)

    def waiting(self) -> list[Wait]:
        """Return what waits now, the earliest deadline first."""
        with self._outage.noticed():
            tokens = cast("list[str]", self._redis.zrangebyscore(keys.DEADLINES, self._now(), "+inf"))
            with self._redis.pipeline(transaction=False) as commands:
                for token in tokens:
                    commands.hgetall(keys.waits(token))
                found = commands.execute()
        return self._in_time([wait for calls in found for wait in _from_hash(calls)])

    def _owns(self, device: Device, token_digest: str) -> bool:
        """Tell whether a token is still `device`'s: one that moved on has calls that wait for another phone."""
        with self._outage.noticed():
            owner = read_owner(self._redis, token_digest)
        return owner is not None and owner.device == device

    def _take_all(self, token_digests: list[str]) -> list[Wait]:
        """Claim what waits for the tokens with `token_digests`."""
        with self._outage.noticed(), self._redis.pipeline(transaction=True) as commands:
            for token in token_digests:
                _take(commands, token)
            return [wait for claimed in commands.execute()[::2] for wait in _from_hash(claimed)]

    def _in_time(self, waits: list[Wait]) -> list[Wait]:
        """Return those of `waits` whose deadline has not passed, the earliest first."""
        now = self._now()
        return sorted((w for w in waits if w.expires_at > now), key=lambda w: w.expires_at)


def _take(commands: Pipeline, token_digest: str) -> None:
    """Add to `commands` what claims all that waits for a token; the first reply holds it."""
    commands.hgetall(keys.waits(token_digest))
    commands.delete(keys.waits(token_digest))


def _let_live(commands: Pipeline, key: str, seconds: int) -> None:
    """Have `key` live at least `seconds` more. Counted from now, so that Redis' clock need not agree with ours."""
    commands.expire(key, seconds, nx=True)
    commands.expire(key, seconds, gt=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is asked about one phone, and where in the transaction's replies the answers stand; None: not asked."""

    phone: AwakePhone
    #: Digest of the phone's token.
    token: str | None
    calls_at: int | None = None
    tokens_at: int | None = None
    marks_at: int | None = None

    @classmethod
    def put(cls, commands: Pipeline, phone: AwakePhone, now: float) -> Self:
        """Add to `commands` what claims the phone's calls and notes its registration."""
        token = None if phone.token is None else redact.digest(phone.token)
        calls_at = tokens_at = marks_at = None
        if token is not None:
            calls_at = len(commands)
            _take(commands, token)
        if phone.registration_token is not None:
            tokens_at = len(commands)
            commands.hkeys(keys.registration(redact.digest(phone.registration_token)))
        if phone.device is not None:
            marks_at = len(commands)
            commands.mget(keys.learned(phone.device), keys.token(phone.device))
            if phone.digest is not None:
                record_registration(commands, phone.device, token=token, digest=phone.digest, now=now)
        return cls(phone=phone, token=token, calls_at=calls_at, tokens_at=tokens_at, marks_at=marks_at)

    def answers(self, replies: Sequence[Any]) -> tuple[list[Wait], list[str], str | None, str | None]:
        """Return the claimed calls, the tokens that the registration token was sent to, and the digests of the push
        object that is learned and of the token in the device's document.
        """
        calls = [] if self.calls_at is None else _from_hash(replies[self.calls_at])
        tokens = [] if self.tokens_at is None else replies[self.tokens_at]
        learned, before = (None, None) if self.marks_at is None else replies[self.marks_at]
        return calls, tokens, learned, before


def _to_json(wait: Wait) -> str:
    # An array, for the names of the fields would take a fifth of all that Redis keeps.
    return json.dumps([getattr(wait, name) for name in _FIELDS], separators=(",", ":"))


def _from_json(push_id: str, value: str) -> Wait:
    return Wait(push_id=push_id, **dict(zip(_FIELDS, json.loads(value), strict=True)))


def _from_hash(claimed: dict[str, str]) -> list[Wait]:
    return [_from_json(push_id, value) for push_id, value in claimed.items()]
