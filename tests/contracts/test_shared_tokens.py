"""`ports.SharedTokens`: one provider token for all processes, renewed by one of them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import redis

from pusher.clock import Deadline
from pusher.providers.shared_secrets import Ages, Grant, SharedSecrets
from pusher.stores import keys
from pusher.stores.connection import connect
from pusher.stores.shared_tokens import RedisSharedTokens
from tests.contracts.conftest import Clock
from tests.support.until import until
from tests.unit.providers.doubles import FakeClock


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


HOUR = 3600.0
AGES = Ages(early_s=900, min_interval_s=1200, lock_s=0.001)


class Host:
    """A process on a host whose clock is wrong by `off_s`, and the tokens it made."""

    def __init__(self, url: str, clock: FakeClock, off_s: float) -> None:
        self._clock, self.off_s = clock, off_s
        self.client = connect(url)
        shared = RedisSharedTokens(self.client, now=self._wall)
        self.secrets = SharedSecrets(shared, AGES, wall=self._wall, monotonic=clock.monotonic, sleep=time.sleep)
        self.made = 0

    def _wall(self) -> float:
        return self._clock.wall() + self.off_s

    def get(self) -> str:
        return self.secrets.get("key", self._issue, Deadline.after(5))

    def _issue(self, now: float, deadline: Deadline) -> Grant:
        self.made += 1
        return Grant(text=f"{id(self)}-{self.made}", lifetime_s=HOUR)


@pytest.fixture
def hosts(redis_url: str) -> Iterator[Callable[[FakeClock, float], Host]]:
    """Makes hosts that share one real Redis."""
    made: list[Host] = []

    def host(clock: FakeClock, off_s: float) -> Host:
        made.append(Host(redis_url, clock, off_s))
        return made[-1]

    yield host
    for each in made:
        each.client.close()


@pytest.mark.parametrize("off_s", [-24 * HOUR, -HOUR, HOUR, 24 * HOUR])
def test_hosts_whose_clocks_disagree_make_a_token_each_an_hour_and_no_more(
    hosts: Callable[[FakeClock, float], Host], off_s: float
) -> None:
    clock = FakeClock()
    right, wrong = hosts(clock, 0.0), hosts(clock, off_s)
    for _ in range(4 * 60):
        right.get(), wrong.get()
        clock.sleep(60)
    # Four hours, a token for 45 minutes each. Either may use the other's meanwhile.
    assert right.made <= 6
    assert wrong.made <= 6


@pytest.mark.parametrize("jump_s", [-24 * HOUR, -HOUR, HOUR, 24 * HOUR])
def test_a_clock_that_jumps_once_renews_no_token_early_and_keeps_none_too_long(
    hosts: Callable[[FakeClock, float], Host], jump_s: float
) -> None:
    clock = FakeClock()
    first, second = hosts(clock, 0.0), hosts(clock, 0.0)
    token = first.get()
    assert second.get() == token
    first.off_s = jump_s
    for _ in range(44):
        clock.sleep(60)
        assert (first.get(), second.get()) == (token, token)
    clock.sleep(2 * 60)
    # While one renews, the other one goes on with the old token.
    until(lambda: token not in (first.get(), second.get()))
    assert first.made + second.made <= 3
