"""Calls that wait for their phone: found by its push token, claimed by one process, gone at their deadline.

No script runs in Redis; a claim is a transaction that reads and deletes, and whoever deletes has it.
"""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict
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
from pusher.stores.connection import store_errors
from pusher.stores.tokens import record_registration

log = logging.getLogger("pusher.stores")

#: Stands for the digest of a token that is absent: no key has it, so that replies stand at fixed places.
_NONE = "-"


class RedisWaits:
    """Implements `ports.Waits`."""

    def __init__(self, client: "redis.Redis", *, now: Callable[[], float] = time.time) -> None:
        self._redis = client
        self._now = now

    def add(self, wait: Wait) -> None:
        """Remember `wait` until it is claimed or its deadline passes. Adding it twice is adding it once."""
        now = self._now()
        lives_s = math.ceil(wait.expires_at - now)
        if lives_s <= 0:
            return
        token = redact.digest(wait.token)
        with store_errors(), self._redis.pipeline(transaction=True) as commands:
            commands.hset(keys.waits(token), wait.push_id, _to_json(wait))
            _let_live(commands, keys.waits(token), lives_s)
            # The only place that trims, so that nothing else must: what is added pays for what has passed.
            commands.zremrangebyscore(keys.DEADLINES, "-inf", now)
            commands.zadd(keys.DEADLINES, {_member(wait): wait.expires_at})
            _let_live(commands, keys.DEADLINES, lives_s)
            if wait.registration_token is not None:
                registration = keys.registration(redact.digest(wait.registration_token))
                commands.hset(registration, token, "")
                _let_live(commands, registration, lives_s)
            commands.execute()

    def claim(self, wait: Wait) -> bool:
        """Take `wait` away; True for exactly one caller, False when it was claimed before or its deadline passed."""
        with store_errors(), self._redis.pipeline(transaction=True) as commands:
            commands.hdel(keys.waits(redact.digest(wait.token)), wait.push_id)
            commands.zrem(keys.DEADLINES, _member(wait))
            deleted, _ = commands.execute()
        return bool(deleted == 1 and wait.expires_at > self._now())

    def arrive(
        self,
        *,
        token: str | None,
        registration_token: str | None,
        device: Device | None,
        digest: str | None,
    ) -> Arrival:
        """Claim all that waits for either token, in one round trip where nobody does.

        `device`, where known, is from now on the owner of `token`, and the push object with `digest` its latest.
        """
        own = _digest(token)
        with store_errors(), self._redis.pipeline(transaction=True) as commands:
            commands.hgetall(keys.waits(own))
            commands.delete(keys.waits(own))
            commands.hkeys(keys.registration(_digest(registration_token)))
            commands.get(_NONE if device is None else keys.learned(device))
            if device is not None:
                record_registration(commands, device, token=token, digest=digest, now=self._now())
            claimed, _, tokens, learned, *_ = commands.execute()
        waits = _from_hash(claimed)
        try:
            waits += self._take([other for other in tokens if other != own])
            self._unlist(waits)
        except StoreUnavailable as error:
            # What is claimed must reach the caller all the same: nobody else can answer it.
            event(log, logging.WARNING, "claiming waiting calls was cut short", error=str(error))
        now = self._now()
        return Arrival(
            waits=tuple(sorted((w for w in waits if w.expires_at > now), key=lambda w: w.expires_at)),
            learned=learned,
        )

    def waiting(self) -> list[Wait]:
        """Return what waits now, the earliest deadline first."""
        with store_errors():
            members = self._redis.zrangebyscore(keys.DEADLINES, f"({self._now()!r}", "+inf")
            with self._redis.pipeline(transaction=False) as commands:
                places = [member.split(" ") for member in cast("list[str]", members)]
                for token, push_id in places:
                    commands.hget(keys.waits(token), push_id)
                values = commands.execute()
        # A value is missing where the call was claimed while we looked.
        return [_from_json(push_id, v) for (_, push_id), v in zip(places, values, strict=True) if v is not None]

    def _take(self, token_digests: list[str]) -> list[Wait]:
        """Claim what waits for the tokens with `token_digests`."""
        with store_errors(), self._redis.pipeline(transaction=True) as commands:
            for token in token_digests:
                commands.hgetall(keys.waits(token))
                commands.delete(keys.waits(token))
            return [wait for claimed in commands.execute()[::2] for wait in _from_hash(claimed)]

    def _unlist(self, waits: list[Wait]) -> None:
        """Take `waits`, which are claimed, off the list of all."""
        if waits:
            with store_errors():
                self._redis.zrem(keys.DEADLINES, *map(_member, waits))


def _let_live(commands: Pipeline, key: str, seconds: int) -> None:
    """Have `key` live at least `seconds` more. Counted from now, so that Redis' clock need not agree with ours."""
    commands.expire(key, seconds, nx=True)
    commands.expire(key, seconds, gt=True)


def _digest(token: str | None) -> str:
    return _NONE if token is None else redact.digest(token)


def _member(wait: Wait) -> str:
    return f"{redact.digest(wait.token)} {wait.push_id}"


def _to_json(wait: Wait) -> str:
    fields = asdict(wait)
    del fields["push_id"]
    return json.dumps(fields, separators=(",", ":"))


def _from_json(push_id: str, value: str) -> Wait:
    return Wait(push_id=push_id, **json.loads(value))


def _from_hash(claimed: dict[str, str]) -> list[Wait]:
    return [_from_json(push_id, value) for push_id, value in claimed.items()]
