"""Which pushes a provider accepted, so that a task the broker delivers twice pushes once."""

import math
import time
from collections.abc import Callable

import redis

from pusher.stores import keys
from pusher.stores.connection import RedisOutage

#: Seconds past the push's deadline; covers a clock that runs differently where the task is delivered again.
_MARGIN_S = 300


class RedisSent:
    """Implements `ports.Sent`."""

    def __init__(self, client: "redis.Redis", *, now: Callable[[], float] = time.time) -> None:
        self._redis = client
        self._outage = RedisOutage.of(client)
        self._now = now

    def mark(self, push_id: str, expires_at: float) -> None:
        """Remember that the push was accepted, until some minutes after epoch seconds `expires_at`."""
        lives_s = _MARGIN_S + max(0, math.ceil(expires_at - self._now()))
        with self._outage.noticed():
            self._redis.set(keys.sent(push_id), "1", ex=lives_s)

    def accepted(self, push_id: str) -> bool:
        """Tell whether the push was accepted before."""
        with self._outage.noticed():
            return bool(self._redis.exists(keys.sent(push_id)))
