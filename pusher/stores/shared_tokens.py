"""Provider tokens that all processes share, and the mark of the one that renews."""

import json
import math
import time
from collections.abc import Callable
from typing import cast

import redis

from pusher.stores import keys
from pusher.stores.connection import RedisOutage


class RedisSharedTokens:
    """Implements `ports.SharedTokens`."""

    def __init__(self, client: "redis.Redis", *, now: Callable[[], float] = time.time) -> None:
        self._redis = client
        self._outage = RedisOutage.of(client)
        self._now = now

    def get(self, name: str) -> tuple[str, float] | None:
        """Return the secret and the epoch seconds when it was issued, None where there is none."""
        with self._outage.noticed():
            value = cast("str | None", self._redis.get(keys.shared(name)))
        if value is None:
            return None
        secret, issued_at = json.loads(value)
        return secret, issued_at

    def put(self, name: str, secret: str, *, issued_at: float, expires_at: float) -> None:
        """Share `secret` until epoch seconds `expires_at`."""
        lives_ms = math.floor(1000 * (expires_at - self._now()))
        if lives_ms <= 0:
            return
        with self._outage.noticed():
            self._redis.set(keys.shared(name), json.dumps([secret, issued_at]), px=lives_ms)

    def try_lock(self, name: str, seconds: float) -> bool:
        """Become the one process that renews `name`, for at most `seconds`; False when another one is."""
        with self._outage.noticed():
            return bool(self._redis.set(keys.shared_lock(name), "1", nx=True, px=math.ceil(1000 * seconds)))
