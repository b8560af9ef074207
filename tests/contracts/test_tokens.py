"""`ports.Tokens`: whose push token it is, and which push objects need no writing."""

import time

import pytest
import redis

from pusher.ports import TokenOwner
from pusher.registration.device import Device
from pusher.stores import keys
from pusher.stores.tokens import LATEST_FOR_S, OWNER_FOR_S, RedisTokens
from pusher.stores.waits import RedisWaits
from tests.contracts.conftest import Clock
from tests.support.until import until

ACCOUNT = "0011223344556677889900aabbccddee"
DEVICE = Device(account_id=ACCOUNT, device_id="aabbccddeeff00112233445566778899")
OTHER = Device(account_id=ACCOUNT, device_id="desk-phone.2~b")


@pytest.fixture
def tokens(client: redis.Redis) -> RedisTokens:
    """The store under test."""
    return RedisTokens(client)


@pytest.fixture
def waits(client: redis.Redis, clock: Clock) -> RedisWaits:
    """Records registrations."""
    return RedisWaits(client, now=clock)


def register(waits: RedisWaits, device: Device, token: str, digest: str) -> str | None:
    """Register, and return what was known as learned."""
    return waits.arrive(token=token, registration_token=None, device=device, digest=digest).learned


def test_nothing_is_known_of_a_stranger(tokens: RedisTokens) -> None:
    assert tokens.owner("token") is None
    assert tokens.latest(DEVICE) is None


def test_the_last_device_that_registered_a_token_owns_it(tokens: RedisTokens, waits: RedisWaits, clock: Clock) -> None:
    register(waits, OTHER, "token", "d1")
    clock.time += 60.25
    register(waits, DEVICE, "token", "d2")
    assert tokens.owner("token") == TokenOwner(device=DEVICE, registered_at=clock.time)
    assert tokens.owner("another token") is None


def test_the_latest_push_object_is_the_device_s_last_one(tokens: RedisTokens, waits: RedisWaits) -> None:
    register(waits, DEVICE, "token", "d1")
    register(waits, DEVICE, "token", "d2")
    register(waits, OTHER, "token", "d3")
    assert tokens.latest(DEVICE) == "d2"


def test_a_registration_without_device_changes_no_owner(tokens: RedisTokens, waits: RedisWaits) -> None:
    register(waits, DEVICE, "token", "d1")
    waits.arrive(token="token", registration_token=None, device=None, digest=None)
    owner = tokens.owner("token")
    assert owner is not None
    assert owner.device == DEVICE


def test_a_registration_that_teaches_nothing_records_nothing(
    tokens: RedisTokens, waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, DEVICE, "token", "d1")
    before = {key: client.get(key) for key in client.keys("*")}
    waits.arrive(token="another", registration_token=None, device=DEVICE, digest=None)
    waits.arrive(token="token", registration_token=None, device=OTHER, digest=None)
    assert {key: client.get(key) for key in client.keys("*")} == before


def test_a_push_object_without_token_makes_nobody_an_owner(
    tokens: RedisTokens, waits: RedisWaits, client: redis.Redis
) -> None:
    waits.arrive(token=None, registration_token=None, device=DEVICE, digest="d1")
    assert tokens.latest(DEVICE) == "d1"
    assert client.keys("pusher:owner:*") == []


def test_learned_is_learned_per_device(tokens: RedisTokens, waits: RedisWaits) -> None:
    tokens.mark_learned(DEVICE, "d1", for_s=60)
    assert register(waits, DEVICE, "token", "d1") == "d1"
    assert register(waits, OTHER, "token", "d1") is None


def test_learned_is_looked_at_again_after_its_time(tokens: RedisTokens, waits: RedisWaits) -> None:
    tokens.mark_learned(DEVICE, "d1", for_s=0.05)
    marked = time.monotonic()
    until(lambda: register(waits, DEVICE, "token", "d1") is None)
    assert time.monotonic() - marked < 2


def test_forgetting_a_token_has_its_device_learned_anew(tokens: RedisTokens, waits: RedisWaits) -> None:
    register(waits, DEVICE, "dead", "d1")
    register(waits, OTHER, "alive", "d2")
    for device in (DEVICE, OTHER):
        tokens.mark_learned(device, "d", for_s=60)
    tokens.forget("dead", DEVICE)
    assert tokens.owner("dead") is None
    assert tokens.owner("alive") is not None
    assert register(waits, DEVICE, "dead", "d1") is None
    assert register(waits, OTHER, "alive", "d2") == "d"


def test_forgetting_keeps_what_the_device_registered_with_last(tokens: RedisTokens, waits: RedisWaits) -> None:
    register(waits, DEVICE, "dead", "d1")
    register(waits, DEVICE, "new", "d2")
    tokens.forget("dead", DEVICE)
    assert tokens.latest(DEVICE) == "d2"


def test_every_record_goes_away_by_itself(tokens: RedisTokens, waits: RedisWaits, client: redis.Redis) -> None:
    register(waits, DEVICE, "token", "d1")
    tokens.mark_learned(DEVICE, "d1", for_s=3600)
    lives_s = {key: client.ttl(key) for key in client.keys("*")}
    assert sorted(lives_s.values()) == pytest.approx([3600, LATEST_FOR_S, OWNER_FOR_S, OWNER_FOR_S], abs=2)
    assert client.ttl(keys.learned(DEVICE)) <= 3600


def test_no_key_shows_a_token(tokens: RedisTokens, waits: RedisWaits, client: redis.Redis) -> None:
    register(waits, DEVICE, "a-secret-token", "d1")
    assert not [key for key in client.keys("*") if "a-secret-token" in key]
