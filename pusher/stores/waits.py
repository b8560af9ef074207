"""Calls that wait for their phone: found by its push token, claimed by one process, gone at their deadline.

No script runs in Redis; a claim is a transaction that reads and deletes, and whoever deletes has it.
"""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import fields
from typing import cast

import redis
from redis.client import Pipeline

from pusher import redact
from pusher.errors import StoreUnavailable
from pusher.logs import event
from pusher.ports import Arrival
from pusher.push.wait import Wait
from pusher.registration.device import Device
from pusher.stores import keys
from pusher.stores.connection import RedisOutage
from pusher.stores.tokens import read_owner, record_registration

log = logging.getLogger("pusher.stores")

#: Stands for the digest of a token that is absent: no key has it, so that replies stand at fixed places.
_NONE = "-"

#: What a call's value holds, in this order; its push id is the name of the hash's field.
_FIELDS = tuple(field.name for field in fields(Wait) if field.name != "push_id")


class RedisWaits:
    """Implements `ports.Waits`."""

    def __init__(self, client: "redis.Redis", *, now: Callable[[], float] = time.time) -> None:
        self._redis = client
        self._outage = RedisOutage.of(client)
        self._now = now

    def add(self, wait: Wait) -> None:
        """Remember `wait` until it is claimed or its deadline passes. Adding it twice is adding it once."""
        now = self._now()
        lives_s = math.ceil(wait.expires_at - now)
        if lives_s <= 0:
            return
        token = redact.digest(wait.token)
        with self._outage.noticed(), self._redis.pipeline(transaction=True) as commands:
            commands.hset(keys.waits(token), wait.push_id, _to_json(wait))
            _let_live(commands, keys.waits(token), lives_s)
            # Claimed calls stay listed here, as phones where nobody waits any more, until they are trimmed.
            commands.zremrangebyscore(keys.DEADLINES, "-inf", now)
            commands.zadd(keys.DEADLINES, {token: wait.expires_at}, gt=True)
            _let_live(commands, keys.DEADLINES, lives_s)
            if wait.registration_token is not None:
                registration = keys.registration(redact.digest(wait.registration_token))
                commands.hset(registration, token, "")
                _let_live(commands, registration, lives_s)
            commands.execute()

    def claim(self, wait: Wait) -> bool:
        """Take `wait` away; True for exactly one caller, False when it was claimed before or its deadline passed."""
        with self._outage.noticed():
            deleted = self._redis.hdel(keys.waits(redact.digest(wait.token)), wait.push_id)
        return bool(deleted == 1 and wait.expires_at > self._now())

    def arrive(
        self,
        *,
        token: str | None,
        registration_token: str | None,
        device: Device | None,
        digest: str | None,
    ) -> Arrival:
        """Claim all that waits for either token, and for the one in `device`'s document, if it still is its own.

        Where `device` and `digest` are known, `device` is from now on the owner of `token`, and the push object with
        `digest` its latest. One round trip, unless another token than `token` leads to calls.
        The document's token stays the same until a worker has written another one: whoever calls the old one meanwhile
        is found, and so is a call that was put back.
        """
        own = _digest(token)
        with self._outage.noticed(), self._redis.pipeline(transaction=True) as commands:
            _take(commands, own)
            commands.hkeys(keys.registration(_digest(registration_token)))
            commands.get(keys.owner(_NONE) if device is None else keys.learned(device))
            commands.get(keys.owner(_NONE) if device is None else keys.token(device))
            if device is not None and digest is not None:
                record_registration(commands, device, token=token, digest=digest, now=self._now())
            claimed, _, tokens, learned, before, *_ = commands.execute()
        waits = _from_hash(claimed)
        others = {other for other in tokens if other != own}
        try:
            if device is not None and before not in (None, own, *others) and self._owns(device, before):
                others.add(before)
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


def _digest(token: str | None) -> str:
    return _NONE if token is None else redact.digest(token)


def _to_json(wait: Wait) -> str:
    # An array, for the names of the fields would take a fifth of all that Redis keeps.
    return json.dumps([getattr(wait, name) for name in _FIELDS], separators=(",", ":"))


def _from_json(push_id: str, value: str) -> Wait:
    return Wait(push_id=push_id, **dict(zip(_FIELDS, json.loads(value), strict=True)))


def _from_hash(claimed: dict[str, str]) -> list[Wait]:
    return [_from_json(push_id, value) for push_id, value in claimed.items()]
