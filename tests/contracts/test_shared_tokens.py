"""`ports.SharedTokens`: one provider token for all processes, renewed by one of them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import redis

from pusher.stores import keys
from pusher.stores.connection import connect
from pusher.stores.shared_tokens import RedisSharedTokens
from tests.contracts.conftest import Clock
from tests.support.until import until


@pytest.fixture
def shared(client: redis.Redis, clock: Clock) -> RedisSharedTokens:
    """The store under test."""
    return RedisSharedTokens(client, now=clock)


def test_what_one_process_puts_all_get(shared: RedisSharedTokens, clock: Clock) -> None:
    assert shared.get("apple:TEAM:KEY") is None
    shared.put("apple:TEAM:KEY", "3000 ey.J\ud83d", issued_at=clock.time - 1.5, expires_at=clock.time + 3000)
    assert shared.get("apple:TEAM:KEY") == ("3000 ey.J\ud83d", clock.time - 1.5)
    assert shared.get("apple:TEAM:OTHER") is None


def test_a_newer_token_takes_the_place_of_the_old(shared: RedisSharedTokens, clock: Clock) -> None:
    for secret in ("old", "new"):
        shared.put("name", secret, issued_at=clock.time, expires_at=clock.time + 60)
    assert shared.get("name") == ("new", clock.time)


def test_a_token_is_gone_when_it_expires(shared: RedisSharedTokens, client: redis.Redis, clock: Clock) -> None:
    shared.put("name", "secret", issued_at=clock.time, expires_at=clock.time + 3600.5)
    assert 3_595_000 < client.pttl(keys.shared("name")) <= 3_600_500


def test_a_token_that_expired_already_is_not_shared(shared: RedisSharedTokens, clock: Clock) -> None:
    shared.put("name", "secret", issued_at=clock.time - 60, expires_at=clock.time)
    assert shared.get("name") is None


def test_one_process_renews_until_its_time_is_up(shared: RedisSharedTokens) -> None:
    assert shared.try_lock("name", 0.1)
    assert shared.try_lock("other name", 10)
    assert not shared.try_lock("name", 10)
    until(lambda: shared.try_lock("name", 10), seconds=5)


def test_of_many_that_try_one_gets_the_lock(redis_url: str) -> None:
    clients = [connect(redis_url) for _ in range(8)]
    barrier = Barrier(len(clients))

    def work(client: redis.Redis) -> int:
        shared = RedisSharedTokens(client)
        wins = 0
        for turn in range(30):
            barrier.wait(10)
            wins += shared.try_lock(f"name-{turn}", 60)
        return wins

    with ThreadPoolExecutor(len(clients)) as pool:
        assert sum(pool.map(work, clients)) == 30
    for client in clients:
        client.close()
