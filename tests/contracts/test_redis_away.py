"""A Redis that is down, hangs or comes back: one error, a second of patience now and then, no restart of ours."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from pusher.errors import SettingsInvalid, StoreUnavailable
from pusher.outage import REFUSED_RETRY_S, RETRY_S
from pusher.registration.device import Device
from pusher.stores import keys
from pusher.stores.connection import TIMEOUT_S, RedisOutage, connect
from pusher.stores.sent import RedisSent
from pusher.stores.shared_tokens import RedisSharedTokens
from pusher.stores.tokens import RedisTokens
from pusher.stores.waits import RedisWaits
from tests.contracts.conftest import Clock
from tests.contracts.test_waits import TOKEN, call
from tests.support.arriving import arrival
from tests.support.redis import RedisServer

DEVICE = Device(account_id="0011223344556677889900aabbccddee", device_id="d1")

OPERATIONS: dict[str, Callable[[redis.Redis], object]] = {
    "add": lambda client: RedisWaits(client, now=lambda: call().received_at).add(call()),
    "claim": lambda client: RedisWaits(client).claim(call()),
    "arrive": lambda client: arrival(
        RedisWaits(client), token=TOKEN, registration_token="r", device=DEVICE, digest="d"
    ),
    "waiting": lambda client: RedisWaits(client).waiting(),
    "owner": lambda client: RedisTokens(client).owner(TOKEN),
    "latest": lambda client: RedisTokens(client).latest(DEVICE),
    "mark_queued": lambda client: RedisTokens(client).mark_queued(DEVICE, "d"),
    "mark_learned": lambda client: RedisTokens(client).mark_learned(DEVICE, "d", token=TOKEN, for_s=60),
    "unmark": lambda client: RedisTokens(client).unmark(DEVICE),
    "forget": lambda client: RedisTokens(client).forget(TOKEN, DEVICE),
    "mark": lambda client: RedisSent(client).mark("push", time.time()),
    "accepted": lambda client: RedisSent(client).accepted("push"),
    "get": lambda client: RedisSharedTokens(client).get("name"),
    "put": lambda client: RedisSharedTokens(client).put("name", "secret", issued_at=0, expires_at=time.time() + 60),
    "try_lock": lambda client: RedisSharedTokens(client).try_lock("name", 1),
}


@pytest.fixture
def outage(client: redis.Redis, clock: Clock) -> RedisOutage:
    """What all stores over `client` share, with a clock that stands."""
    return RedisOutage.of(client, clock)


def test_every_operation_says_that_redis_is_down(
    real_client: redis.Redis, redis_server: RedisServer, clock: Clock
) -> None:
    RedisOutage.of(real_client, clock)
    for operate in OPERATIONS.values():
        operate(real_client)
    redis_server.stop()
    for name, operate in OPERATIONS.items():
        clock.time += RETRY_S
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"^Redis: .*refused"):
            operate(real_client)
        assert time.monotonic() - began < 0.5, name


def test_a_client_made_while_redis_is_down_works_when_it_comes_up(
    redis_server: RedisServer, redis_url: str, clock: Clock
) -> None:
    redis_server.stop()
    with connect(redis_url) as client:
        RedisOutage.of(client, clock)
        sent = RedisSent(client)
        with pytest.raises(StoreUnavailable):
            sent.accepted("push")
        redis_server.start()
        clock.time += RETRY_S
        assert not sent.accepted("push")


def test_after_a_restart_the_first_operation_of_every_idle_connection_works(
    real_client: redis.Redis, redis_server: RedisServer
) -> None:
    sent = RedisSent(real_client)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(sent.accepted, map(str, range(200))))
        redis_server.restart()
        assert not any(pool.map(sent.accepted, map(str, range(200))))


def test_a_hundred_threads_wait_about_a_second_for_a_redis_that_hangs(
    real_client: redis.Redis, redis_server: RedisServer, clock: Clock
) -> None:
    RedisOutage.of(real_client, clock)
    sent = RedisSent(real_client)
    sent.accepted("push")

    def try_it(number: int) -> float:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            sent.accepted(f"push-{number}")
        return time.monotonic() - began

    with redis_server.paused(), ThreadPoolExecutor(100) as pool:
        waited_s = list(pool.map(try_it, range(100)))
    assert max(waited_s) < 2.5
    clock.time += RETRY_S
    assert not sent.accepted("push")


def test_a_redis_that_hangs_costs_one_operation_its_patience_and_the_next_nothing(
    real_client: redis.Redis, redis_server: RedisServer, clock: Clock
) -> None:
    """Whichever store of the process asks: the listener takes one call after the other."""
    RedisOutage.of(real_client, clock)
    RedisSent(real_client).accepted("push")
    with redis_server.paused():
        with pytest.raises(StoreUnavailable):
            RedisSent(real_client).accepted("push")
        began = time.monotonic()
        for operate in OPERATIONS.values():
            with pytest.raises(StoreUnavailable, match="left alone"):
                operate(real_client)
        assert time.monotonic() - began < TIMEOUT_S / 2


def test_redis_is_left_alone_for_some_seconds_and_then_asked_again(
    client: redis.Redis, outage: RedisOutage, clock: Clock
) -> None:
    with pytest.raises(StoreUnavailable, match="hangs"), outage.noticed():
        raise redis.TimeoutError("it hangs")
    clock.time += RETRY_S - 0.1
    for operate in OPERATIONS.values():
        with pytest.raises(StoreUnavailable, match=r"left alone.*hangs"):
            operate(client)
    clock.time += 0.1
    for operate in OPERATIONS.values():
        operate(client)


def test_redis_that_refuses_at_once_is_asked_again_soon(client: redis.Redis, outage: RedisOutage, clock: Clock) -> None:
    with pytest.raises(StoreUnavailable), outage.noticed():
        raise redis.ConnectionError("refused")
    with pytest.raises(StoreUnavailable, match="left alone"):
        RedisSent(client).accepted("push")
    clock.time += REFUSED_RETRY_S
    assert not RedisSent(client).accepted("push")


def test_redis_that_took_its_time_to_refuse_is_left_alone_for_longer(
    client: redis.Redis, outage: RedisOutage, clock: Clock
) -> None:
    def wait_for_a_connection() -> None:
        clock.time += TIMEOUT_S
        raise redis.ConnectionError("no connection is free")

    with pytest.raises(StoreUnavailable), outage.noticed():
        wait_for_a_connection()
    clock.time += REFUSED_RETRY_S
    with pytest.raises(StoreUnavailable, match="left alone"):
        RedisSent(client).accepted("push")


def test_while_one_operation_tries_again_the_others_fail_at_once(
    client: redis.Redis, outage: RedisOutage, clock: Clock
) -> None:
    sent = RedisSent(client)
    with pytest.raises(StoreUnavailable), outage.noticed():
        raise redis.ConnectionError("refused")
    clock.time += RETRY_S
    with outage.noticed():
        with pytest.raises(StoreUnavailable, match="left alone"):
            sent.accepted("push")
        client.ping()
    assert not sent.accepted("push")


def test_an_outage_goes_on_when_the_one_that_tries_fails(
    client: redis.Redis, outage: RedisOutage, clock: Clock
) -> None:
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"^Redis: it hangs"), outage.noticed():
            raise redis.TimeoutError("it hangs")
        with pytest.raises(StoreUnavailable, match="left alone"):
            RedisSent(client).accepted("push")
        clock.time += RETRY_S


def test_a_command_that_redis_refuses_is_no_outage(client: redis.Redis, outage: RedisOutage, clock: Clock) -> None:
    """Nor does it prolong one: whoever refuses is there."""
    client.lpush(keys.latest(DEVICE), "mine")
    with pytest.raises(StoreUnavailable, match="ResponseError"):
        RedisTokens(client).latest(DEVICE)
    assert not RedisSent(client).accepted("push")
    with pytest.raises(StoreUnavailable), outage.noticed():
        raise redis.TimeoutError("it hangs")
    clock.time += RETRY_S
    with pytest.raises(StoreUnavailable, match="ResponseError"):
        RedisTokens(client).latest(DEVICE)
    assert not RedisSent(client).accepted("push")


def test_an_outage_of_one_redis_is_none_of_another(client: redis.Redis, outage: RedisOutage, redis_url: str) -> None:
    with pytest.raises(StoreUnavailable), outage.noticed():
        raise redis.TimeoutError("it hangs")
    with connect(redis_url) as other:
        assert not RedisSent(other).accepted("push")


def test_a_hundred_threads_at_once_are_all_served(real_client: redis.Redis) -> None:
    sent = RedisSent(real_client)
    with ThreadPoolExecutor(100) as pool:
        assert not any(pool.map(sent.accepted, map(str, range(1000))))


def test_a_refused_command_is_told_without_the_token_in_it(real_client: redis.Redis) -> None:
    real_client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable) as told:
            OPERATIONS["add"](real_client)
    finally:
        real_client.config_set("maxmemory", "0")
    assert "OutOfMemory" in str(told.value)
    assert TOKEN not in str(told.value)


def test_a_key_that_somebody_else_uses_is_an_outage_not_a_crash(real_client: redis.Redis) -> None:
    real_client.lpush(keys.sent("push"), "mine")
    assert RedisSent(real_client).accepted("push")
    real_client.lpush(keys.latest(DEVICE), "mine")
    with pytest.raises(StoreUnavailable):
        RedisTokens(real_client).latest(DEVICE)


def test_what_was_claimed_is_answered_even_if_redis_goes_in_between(
    real_client: redis.Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    waits = RedisWaits(real_client, now=lambda: call().received_at)
    waits.add(call(1, registration_token="r"))
    waits.add(call(2, token="new token"))
    pool = real_client.connection_pool
    give_back = pool.release

    def stop_after_first_answer(connection: object) -> None:
        give_back(connection)
        redis_server.stop()

    pool.release = stop_after_first_answer
    try:
        found = arrival(waits, token="new token", registration_token="r", device=None, digest=None)
    finally:
        del pool.release
    assert found.waits == (call(2, token="new token"),)
    assert [record.message for record in caplog.records] == ["waiting calls were not all claimed"]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0?socket_timeout=soon", "redis://127.0.0.1:1/0?no_such=1"])
def test_an_option_that_redis_does_not_know_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="PUSHER_REDIS_URL"):
        connect(url)


def test_a_unix_socket_serves_as_well(redis_server: RedisServer, redis_url: str) -> None:
    with connect(redis_url) as admin, connect(f"unix://{redis_server.unix_socket}") as client:
        RedisSent(client).mark("push", time.time())
        assert RedisSent(admin).accepted("push")
