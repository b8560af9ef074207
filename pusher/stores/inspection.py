"""What Redis says of itself, for `pusher check`."""

import re
import uuid
from dataclasses import dataclass
from typing import Any

import redis

from pusher.stores import keys
from pusher.stores.connection import RedisOutage

#: EXPIRE with NX and GT, which keep waiting calls alive, came with it.
OLDEST = (7, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisState:
    """What decides whether it can be used."""

    version: str
    too_old: bool
    #: Whether it follows another server, and so takes no writes.
    replica: bool
    #: Why it takes no writes, in its own words; None where it does.
    refusal: str | None
    #: What it does when its memory is full, such as `allkeys-lru`; None where it refuses writes or has no limit.
    eviction: str | None


def inspect(client: "redis.Redis") -> RedisState | None:
    """Ask Redis once; None where it answers and lets our user not ask INFO. Raises `StoreUnavailable`."""
    with RedisOutage.of(client).noticed():
        try:
            info: dict[str, Any] = client.info()
        except redis.exceptions.NoPermissionError:
            return None
        refusal = _refusal(client)
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    policy = str(info.get("maxmemory_policy", "noeviction"))
    return RedisState(
        version=version,
        too_old=numbers < OLDEST,
        replica=info.get("role") == "slave",
        refusal=refusal,
        eviction=policy if policy != "noeviction" and info.get("maxmemory") else None,
    )


def _refusal(client: "redis.Redis") -> str | None:
    """Write something small: a full memory, or a snapshot that failed, shows in no other way."""
    try:
        client.set(keys.check(uuid.uuid4().hex), "1", px=1000)
    except redis.ResponseError as error:
        return str(error)
    return None
