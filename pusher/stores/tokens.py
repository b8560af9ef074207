"""Whose push token it is, and which push objects need no writing: small records that registrations refresh."""

import json
import math
from collections.abc import Callable
from typing import cast

import redis
from redis.client import Pipeline

from pusher import redact
from pusher.ports import TokenOwner
from pusher.registration.device import Device
from pusher.stores import keys
from pusher.stores.connection import RedisOutage

#: Seconds after which a phone that never registered again is forgotten.
OWNER_FOR_S = 90 * 24 * 3600
#: Seconds; longer than the hour for which writing a device's document is tried.
LATEST_FOR_S = 24 * 3600
#: Seconds; longer than the distance of two attempts to write a document (tasks/devices.py), each of which counts anew.
QUEUED_FOR_S = 600


def record_registration(commands: Pipeline, device: Device, *, token: str | None, digest: str, now: float) -> None:
    """Add to `commands` what a registration at epoch seconds `now` tells about the token with digest `token` and about
    the push object with `digest`.

    Every REGISTER of a phone that pushes comes here: redis-py's `set` would look at fifteen options first.
    """
    if token is not None:
        record = {"account_id": device.account_id, "device_id": device.device_id, "registered_at": now}
        value = json.dumps(record, separators=(",", ":"))
        commands.execute_command("SET", keys.owner(token), value, "EX", OWNER_FOR_S)  # type: ignore[no-untyped-call]
    # Not what it holds: as long as the document has the former token, calls wait for that one.
    commands.expire(keys.token(device), OWNER_FOR_S)
    commands.execute_command("SET", keys.latest(device), digest, "EX", LATEST_FOR_S)  # type: ignore[no-untyped-call]


def read_owner(client: "redis.Redis", token_digest: str) -> TokenOwner | None:
    """Return who registered the token with `token_digest` last, None where nobody is known."""
    value = cast("str | None", client.get(keys.owner(token_digest)))
    if value is None:
        return None
    record = json.loads(value)
    return TokenOwner(
        device=Device(account_id=record["account_id"], device_id=record["device_id"]),
        registered_at=record["registered_at"],
    )


class RedisTokens:
    """Implements `ports.Tokens`."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client
        self._outage = RedisOutage.of(client)

    def owner(self, token: str) -> TokenOwner | None:
        """Return who registered `token` last, None where nobody is known."""
        with self._outage.noticed():
            return read_owner(self._redis, redact.digest(token))

    def latest(self, device: Device) -> str | None:
        """Return the digest of the push object the device registered with last, None where unknown."""
        with self._outage.noticed():
            return cast("str | None", self._redis.get(keys.latest(device)))

    def mark_queued(self, device: Device, digest: str) -> None:
        """Remember for ten minutes that the push object with `digest` is being written, if it still is the latest."""

        def mark(commands: Pipeline, latest: str | None, marked: str | None) -> None:
            if marked == digest:
                # A worker that was faster has marked it as written, for longer.
                commands.expire(keys.learned(device), QUEUED_FOR_S, gt=True)
            elif latest in (None, digest):
                commands.set(keys.learned(device), digest, ex=QUEUED_FOR_S)

        self._mark(device, mark)

    def mark_learned(self, device: Device, digest: str, *, token: str | None, for_s: float) -> None:
        """Remember that the document holds `token`, unless that is None, and for `for_s` seconds that the push object
        with `digest`, which was marked as queued before, needs no writing.

        Where another push object is the latest by now, or the mark was taken away, the device is looked at again when
        it registers: this one may have been written over a newer one, or been overwritten.
        """

        def mark(commands: Pipeline, latest: str | None, marked: str | None) -> None:
            if token is not None:
                commands.set(keys.token(device), redact.digest(token), ex=OWNER_FOR_S)
            if latest not in (None, digest):
                commands.delete(keys.learned(device))
            elif marked == digest:
                commands.set(keys.learned(device), digest, px=math.ceil(1000 * for_s))

        self._mark(device, mark)

    def unmark(self, device: Device) -> None:
        """Have the device looked at again when it registers."""
        with self._outage.noticed():
            self._redis.delete(keys.learned(device))

    def forget(self, token: str, device: Device) -> None:
        """Drop what is remembered about a dead `token` and about its device's push object.

        What the device registered with last stays known: without it, an older push object whose writing is still being
        retried would be taken for the newest.
        """
        with self._outage.noticed():
            self._redis.delete(keys.owner(redact.digest(token)), keys.learned(device))

    def _mark(self, device: Device, mark: Callable[[Pipeline, str | None, str | None], None]) -> None:
        """Have `mark` add commands by what is the latest and what is marked; again where either changed meanwhile."""
        watched = keys.latest(device), keys.learned(device)

        def transact(commands: Pipeline) -> None:
            latest, marked = cast("list[str | None]", commands.mget(watched))
            commands.multi()
            mark(commands, latest, marked)

        with self._outage.noticed():
            self._redis.transaction(transact, *watched)
