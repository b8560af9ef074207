"""`ports.Tokens`: whose push token it is, and which push objects need no writing."""

import time

import pytest
import redis

from pusher import redact
from pusher.ports import TokenOwner
from pusher.registration.device import Device
from pusher.stores import keys
from pusher.stores.tokens import LATEST_FOR_S, OWNER_FOR_S, QUEUED_FOR_S, RedisTokens
from pusher.stores.waits import RedisWaits
from tests.contracts.conftest import Clock
from tests.support.arriving import arrival
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
    return arrival(waits, token=token, registration_token=None, device=device, digest=digest).learned


def learn(tokens: RedisTokens, device: Device, digest: str, *, token: str = "token", for_s: float = 60) -> None:
    """Mark as a worker does that writes a document."""
    tokens.mark_queued(device, digest)
    tokens.mark_learned(device, digest, token=token, for_s=for_s)


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
    arrival(waits, token="token", registration_token=None, device=None, digest=None)
    owner = tokens.owner("token")
    assert owner is not None
    assert owner.device == DEVICE


def test_a_registration_that_teaches_nothing_records_nothing(
    tokens: RedisTokens, waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, DEVICE, "token", "d1")
    before = {key: client.get(key) for key in client.keys("*")}
    arrival(waits, token="another", registration_token=None, device=DEVICE, digest=None)
    arrival(waits, token="token", registration_token=None, device=OTHER, digest=None)
    assert {key: client.get(key) for key in client.keys("*")} == before


def test_a_push_object_without_token_makes_nobody_an_owner(
    tokens: RedisTokens, waits: RedisWaits, client: redis.Redis
) -> None:
    arrival(waits, token=None, registration_token=None, device=DEVICE, digest="d1")
    assert tokens.latest(DEVICE) == "d1"
    assert client.keys("pusher:owner:*") == []


def test_learned_is_learned_per_device(tokens: RedisTokens, waits: RedisWaits) -> None:
    learn(tokens, DEVICE, "d1")
    assert register(waits, DEVICE, "token", "d1") == "d1"
    assert register(waits, OTHER, "token", "d1") is None


def test_learned_is_looked_at_again_after_its_time(tokens: RedisTokens, waits: RedisWaits) -> None:
    learn(tokens, DEVICE, "d1", for_s=0.05)
    marked = time.monotonic()
    until(lambda: register(waits, DEVICE, "token", "d1") is None)
    assert time.monotonic() - marked < 2


def test_forgetting_a_token_has_its_device_learned_anew(tokens: RedisTokens, waits: RedisWaits) -> None:
    register(waits, DEVICE, "dead", "d1")
    register(waits, OTHER, "alive", "d2")
    learn(tokens, DEVICE, "d1", token="dead")
    learn(tokens, OTHER, "d2", token="alive")
    tokens.forget("dead", DEVICE)
    assert tokens.owner("dead") is None
    assert tokens.owner("alive") is not None
    assert register(waits, DEVICE, "dead", "d1") is None
    assert register(waits, OTHER, "alive", "d2") == "d2"


def test_forgetting_a_token_has_a_device_that_waits_for_a_worker_learned_anew(
    tokens: RedisTokens, waits: RedisWaits
) -> None:
    register(waits, DEVICE, "dead", "d1")
    tokens.mark_queued(DEVICE, "d1")
    tokens.forget("dead", DEVICE)
    assert register(waits, DEVICE, "dead", "d1") is None


def test_what_is_queued_counts_as_learned_for_ten_minutes(
    tokens: RedisTokens, waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, DEVICE, "token", "d1")
    tokens.mark_queued(DEVICE, "d1")
    assert register(waits, DEVICE, "token", "d1") == "d1"
    assert client.ttl(keys.learned(DEVICE)) == pytest.approx(QUEUED_FOR_S, abs=2)
    assert client.get(keys.token(DEVICE)) is None


def test_a_newer_push_object_is_queued_in_place_of_what_was_learned(tokens: RedisTokens, waits: RedisWaits) -> None:
    register(waits, DEVICE, "old", "d1")
    learn(tokens, DEVICE, "d1")
    register(waits, DEVICE, "new", "d2")
    tokens.mark_queued(DEVICE, "d2")
    assert register(waits, DEVICE, "new", "d2") == "d2"


def test_each_attempt_of_a_worker_prolongs_the_mark(tokens: RedisTokens, client: redis.Redis) -> None:
    tokens.mark_queued(DEVICE, "d1")
    client.expire(keys.learned(DEVICE), 5)
    tokens.mark_queued(DEVICE, "d1")
    assert client.ttl(keys.learned(DEVICE)) == pytest.approx(QUEUED_FOR_S, abs=2)


def test_a_worker_that_was_faster_than_the_listener_s_mark_is_believed(
    tokens: RedisTokens, client: redis.Redis
) -> None:
    learn(tokens, DEVICE, "d1", for_s=24 * 3600)
    tokens.mark_queued(DEVICE, "d1")
    assert client.ttl(keys.learned(DEVICE)) == pytest.approx(24 * 3600, abs=2)


def test_a_listener_s_mark_that_comes_after_a_newer_registration_is_not_set(
    tokens: RedisTokens, waits: RedisWaits
) -> None:
    register(waits, DEVICE, "old", "d1")
    register(waits, DEVICE, "new", "d2")
    tokens.mark_queued(DEVICE, "d2")
    tokens.mark_queued(DEVICE, "d1")
    assert register(waits, DEVICE, "new", "d2") == "d2"


def test_what_was_written_over_a_newer_push_object_is_looked_at_again(tokens: RedisTokens, waits: RedisWaits) -> None:
    register(waits, DEVICE, "old", "d1")
    tokens.mark_queued(DEVICE, "d1")
    register(waits, DEVICE, "new", "d2")
    learn(tokens, DEVICE, "d2")
    tokens.mark_learned(DEVICE, "d1", token="old", for_s=60)
    assert register(waits, DEVICE, "new", "d2") is None


def test_what_was_unmarked_while_a_worker_looked_at_the_document_is_looked_at_again(
    tokens: RedisTokens, waits: RedisWaits
) -> None:
    register(waits, DEVICE, "token", "d1")
    tokens.mark_queued(DEVICE, "d1")
    tokens.unmark(DEVICE)
    tokens.mark_learned(DEVICE, "d1", token="token", for_s=60)
    assert register(waits, DEVICE, "token", "d1") is None


def test_a_mark_that_is_set_while_a_newer_registration_arrives_gives_way_to_it(
    tokens: RedisTokens, waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, DEVICE, "old", "d1")
    tokens.mark_queued(DEVICE, "d1")
    pool = client.connection_pool
    take = pool.get_connection

    def register_once_it_has_read(*args: object, **options: object) -> object:
        connection = take(*args, **options)
        send = connection.send_packed_command

        def sent(*command: object, **how: object) -> object:
            if b"MULTI" in repr(command).encode():
                del connection.send_packed_command
                pool.get_connection = take
                register(waits, DEVICE, "new", "d2")
            return send(*command, **how)

        connection.send_packed_command = sent
        return connection

    pool.get_connection = register_once_it_has_read
    try:
        tokens.mark_learned(DEVICE, "d1", token="old", for_s=60)
    finally:
        pool.get_connection = take
    assert tokens.latest(DEVICE) == "d2"
    assert register(waits, DEVICE, "old", "d1") is None


def test_the_token_in_the_document_is_the_one_that_a_worker_wrote(
    tokens: RedisTokens, waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, DEVICE, "old", "d1")
    learn(tokens, DEVICE, "d1", token="old")
    client.expire(keys.token(DEVICE), 5)
    register(waits, DEVICE, "new", "d2")
    tokens.mark_queued(DEVICE, "d2")
    assert client.get(keys.token(DEVICE)) == redact.digest("old")
    assert client.ttl(keys.token(DEVICE)) == pytest.approx(OWNER_FOR_S, abs=2)
    tokens.mark_learned(DEVICE, "d2", token="new", for_s=60)
    assert client.get(keys.token(DEVICE)) == redact.digest("new")


def test_a_device_without_document_keeps_the_token_that_it_had(tokens: RedisTokens, client: redis.Redis) -> None:
    learn(tokens, DEVICE, "d1", token="old")
    tokens.mark_queued(DEVICE, "d2")
    tokens.mark_learned(DEVICE, "d2", token=None, for_s=60)
    assert client.get(keys.token(DEVICE)) == redact.digest("old")


def test_forgetting_keeps_what_the_device_registered_with_last(tokens: RedisTokens, waits: RedisWaits) -> None:
    register(waits, DEVICE, "dead", "d1")
    register(waits, DEVICE, "new", "d2")
    tokens.forget("dead", DEVICE)
    assert tokens.latest(DEVICE) == "d2"


def test_every_record_goes_away_by_itself(tokens: RedisTokens, waits: RedisWaits, client: redis.Redis) -> None:
    register(waits, DEVICE, "token", "d1")
    learn(tokens, DEVICE, "d1", for_s=3600)
    lives_s = {key: client.ttl(key) for key in client.keys("*")}
    assert sorted(lives_s.values()) == pytest.approx([3600, LATEST_FOR_S, OWNER_FOR_S, OWNER_FOR_S], abs=2)
    assert client.ttl(keys.learned(DEVICE)) <= 3600


def test_no_key_shows_a_token(tokens: RedisTokens, waits: RedisWaits, client: redis.Redis) -> None:
    register(waits, DEVICE, "a-secret-token", "d1")
    assert not [key for key in client.keys("*") if "a-secret-token" in key]
