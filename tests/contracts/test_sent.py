"""`ports.Sent`: a push that a provider accepted is not sent again."""

import pytest
import redis

from pusher.stores import keys
from pusher.stores.sent import RedisSent
from tests.contracts.conftest import Clock


@pytest.fixture
def sent(client: redis.Redis, clock: Clock) -> RedisSent:
    """The store under test."""
    return RedisSent(client, now=clock)


def test_only_a_marked_push_was_accepted(sent: RedisSent, clock: Clock) -> None:
    sent.mark("push-1", clock.time + 20)
    assert sent.accepted("push-1")
    assert not sent.accepted("push-2")


@pytest.mark.parametrize(("left_s", "lives_s"), [(20, 320), (-7200, 300)])
def test_the_mark_outlives_the_push_by_minutes_however_late_it_comes(
    sent: RedisSent, client: redis.Redis, clock: Clock, left_s: float, lives_s: int
) -> None:
    sent.mark("push-1", clock.time + left_s)
    assert lives_s - 2 <= client.ttl(keys.sent("push-1")) <= lives_s
