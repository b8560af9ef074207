"""`ports.Waits`: every waiting call is found by its phone, and answered by exactly one process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier
from uuid import UUID

import pytest
import redis

from pusher import redact
from pusher.outage import RETRY_S
from pusher.push.wait import Wait
from pusher.registration.device import Device
from pusher.stores import keys
from pusher.stores.connection import RedisOutage, connect
from pusher.stores.tokens import RedisTokens
from pusher.stores.waits import RedisWaits
from tests.contracts.conftest import Clock
from tests.support.arriving import arrival

TOKEN = "fX9_q:APA91bH-Example_Token~0123456789"
DEVICE = Device(account_id="0011223344556677889900aabbccddee", device_id="aabbccddeeff00112233445566778899")
OTHER = Device(account_id=DEVICE.account_id, device_id="desk-phone.2~b")


@pytest.fixture
def waits(client: redis.Redis, clock: Clock) -> RedisWaits:
    """The store under test."""
    return RedisWaits(client, now=clock)


def call(number: int = 1, *, token: str = TOKEN, registration_token: str | None = None, s: float = 20) -> Wait:
    """Return a call that waits for `s` seconds."""
    now = Clock().time
    return Wait(
        push_id=str(UUID(int=number)),
        server_id="kamailio@kamailio.lab.example.com-<1>-targeted-0",
        msg_id=f"3ec59f0c-b5cf-4884-9ad9-{number:012}",
        token=token,
        registration_token=registration_token,
        call_id=f"{number}-9842@127.0.0.1 Zoë \ud83d",
        app_id="com.example.softphone",
        provider="firebase",
        received_at=now,
        expires_at=now + s,
    )


def arrive(waits: RedisWaits, token: str | None = TOKEN, registration_token: str | None = None) -> list[Wait]:
    """Have a phone register and return the calls that waited for it."""
    found = arrival(waits, token=token, registration_token=registration_token, device=None, digest=None)
    return list(found.waits)


@contextmanager
def round_trips(client: redis.Redis) -> Iterator[list[str]]:
    """Yield a list that holds, after the block, a word per command sequence that was sent to Redis."""
    sent: list[str] = []
    pool = client.connection_pool
    take = pool.get_connection

    def counted(*args: object, **options: object) -> object:
        sent.append("connection taken")
        return take(*args, **options)

    pool.get_connection = counted
    try:
        yield sent
    finally:
        pool.get_connection = take


def test_an_arriving_phone_gets_all_its_calls_once_the_most_urgent_first(waits: RedisWaits) -> None:
    late, soon = call(1, s=20), call(2, s=10)
    waits.add(late)
    waits.add(soon)
    assert arrive(waits) == [soon, late]
    assert arrive(waits) == []


def test_calls_for_other_phones_go_on_waiting(waits: RedisWaits) -> None:
    waits.add(call(1))
    assert arrive(waits, "another token") == []
    assert arrive(waits) == [call(1)]


def test_adding_twice_is_adding_once(waits: RedisWaits) -> None:
    waits.add(call())
    waits.add(call())
    assert waits.waiting() == [call()]
    assert arrive(waits) == [call()]


def test_a_wait_is_claimed_once(waits: RedisWaits) -> None:
    waits.add(call(1))
    waits.add(call(2))
    assert waits.claim(call(1))
    assert not waits.claim(call(1))
    assert arrive(waits) == [call(2)]
    assert not waits.claim(call(2))


def test_claiming_what_never_waited_is_refused(waits: RedisWaits) -> None:
    waits.add(call(2))
    assert not waits.claim(call(1))


def test_a_call_that_redis_forgot_is_claimed_by_whoever_has_to_answer_it(
    waits: RedisWaits, client: redis.Redis, clock: Clock
) -> None:
    waits.add(call(1))
    client.flushall()
    assert waits.claim(call(1)), "nothing was written since"
    clock.time += 1
    later = replace(call(2), received_at=clock.time)
    waits.add(later)
    assert waits.claim(call(1)), "it arrived before Redis was emptied"
    assert waits.claim(later)
    assert not waits.claim(later), "it arrived after that: its caller has an answer"


def test_a_call_that_redis_forgot_is_nobody_s_after_its_deadline(
    waits: RedisWaits, client: redis.Redis, clock: Clock
) -> None:
    waits.add(call(1))
    client.flushall()
    clock.time = call(1).expires_at
    assert not waits.claim(call(1))


def test_calls_written_down_later_do_not_make_earlier_ones_look_forgotten(waits: RedisWaits, clock: Clock) -> None:
    waits.add(call(1))
    clock.time += 1
    waits.add(replace(call(2), received_at=clock.time))
    assert {wait.msg_id for wait in arrive(waits)} == {call(1).msg_id, call(2).msg_id}
    assert not waits.claim(call(1))


def test_a_wait_put_back_waits_again(waits: RedisWaits) -> None:
    waits.add(call())
    arrive(waits)
    waits.add(call())
    assert arrive(waits) == [call()]


@pytest.mark.parametrize("how", ["arrive", "claim", "list", "add"])
def test_after_its_deadline_a_call_is_nobody_s(waits: RedisWaits, clock: Clock, how: str) -> None:
    waits.add(call())
    clock.time = call().expires_at
    if how == "arrive":
        assert arrive(waits) == []
    elif how == "claim":
        assert not waits.claim(call())
    elif how == "list":
        assert waits.waiting() == []
    else:
        waits.claim(call())
        waits.add(call())
        clock.time -= 1
        assert waits.waiting() == []


def test_just_before_its_deadline_a_call_is_still_answered(waits: RedisWaits, clock: Clock) -> None:
    waits.add(call())
    clock.time = call().expires_at - 0.01
    assert arrive(waits) == [call()]


def test_one_passed_call_does_not_hide_another(waits: RedisWaits, clock: Clock) -> None:
    waits.add(call(1, s=5))
    waits.add(call(2, s=20))
    clock.time += 10
    assert arrive(waits) == [call(2, s=20)]


def test_a_registration_token_finds_its_call_without_a_push_token(waits: RedisWaits) -> None:
    waits.add(call(registration_token="58ecec69"))
    assert arrive(waits, None, "58ecec69") == [call(registration_token="58ecec69")]
    assert arrive(waits, None, "58ecec69") == []


def test_a_registration_token_finds_its_call_when_the_contact_has_another_push_token(waits: RedisWaits) -> None:
    waits.add(call(1, registration_token="58ecec69"))
    waits.add(call(2, token="new token"))
    expected = {call(1, registration_token="58ecec69"), call(2, token="new token")}
    assert set(arrive(waits, "new token", "58ecec69")) == expected
    assert waits.waiting() == []


def test_two_calls_with_one_registration_token_are_both_found(waits: RedisWaits) -> None:
    both = {call(1, registration_token="58ecec69"), call(2, token="other", registration_token="58ecec69")}
    for wait in both:
        waits.add(wait)
    assert set(arrive(waits, None, "58ecec69")) == both


def test_a_phone_that_came_by_one_call_s_registration_token_answers_the_others_too(waits: RedisWaits) -> None:
    """It is the same phone: two calls to it carry two registration tokens, and it registers once."""
    both = {call(1, registration_token="first"), call(2, registration_token="second")}
    for wait in both:
        waits.add(wait)
    assert set(arrive(waits, None, "second")) == both


def register(waits: RedisWaits, token: str | None, device: Device = DEVICE, digest: str | None = "d") -> list[Wait]:
    """Have `device` register and return the calls that waited for it."""
    return list(arrival(waits, token=token, registration_token=None, device=device, digest=digest).waits)


def learn(client: redis.Redis, token: str, digest: str = "d") -> None:
    """Have a worker write `token` into `DEVICE`'s document."""
    tokens = RedisTokens(client)
    tokens.mark_queued(DEVICE, digest)
    tokens.mark_learned(DEVICE, digest, token=token, for_s=60)


def test_a_device_that_comes_with_a_new_token_finds_the_calls_for_the_one_in_its_document(
    waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, "old token")
    learn(client, "old token")
    waits.add(call(1, token="old token", s=10))
    waits.add(call(2, token="new token", s=20))
    assert register(waits, "new token") == [call(1, token="old token", s=10), call(2, token="new token", s=20)]
    assert waits.waiting() == []


def test_a_call_for_the_old_token_that_was_put_back_is_found_again(waits: RedisWaits, client: redis.Redis) -> None:
    register(waits, "old token")
    learn(client, "old token")
    waits.add(call(token="old token"))
    for _ in range(2):
        (claimed,) = register(waits, "new token", digest="d2")
        waits.add(claimed)
    assert waits.waiting() == [call(token="old token")]


def test_while_the_document_cannot_be_written_every_call_for_the_old_token_is_found(
    waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, "old token")
    learn(client, "old token")
    for number in range(3):
        waits.add(call(number, token="old token"))
        assert register(waits, "new token", digest="d2") == [call(number, token="old token")]
        RedisTokens(client).mark_queued(DEVICE, "d2")
    learn(client, "new token", "d2")
    waits.add(call(token="old token"))
    assert register(waits, "new token", digest="d2") == []


def test_a_call_for_the_old_token_that_redis_did_not_give_is_found_by_the_next_registration(
    client: redis.Redis, clock: Clock
) -> None:
    RedisOutage.of(client, clock)
    waits = RedisWaits(client, now=clock)
    register(waits, "old token")
    learn(client, "old token")
    waits.add(call(token="old token"))
    pool = client.connection_pool
    take = pool.get_connection
    taken = []

    def break_after_the_first(*args: object, **options: object) -> object:
        taken.append(take(*args, **options))
        if len(taken) > 1:
            pool.release(taken[-1])
            raise redis.ConnectionError("broken")
        return taken[-1]

    pool.get_connection = break_after_the_first
    try:
        assert register(waits, "new token", digest="d2") == []
    finally:
        pool.get_connection = take
    clock.time += RETRY_S
    assert register(waits, "new token", digest="d2") == [call(token="old token")]


@pytest.mark.parametrize("token", [None, "unknown app's"])
def test_a_device_that_teaches_nothing_finds_the_calls_for_its_token_each_time(
    waits: RedisWaits, client: redis.Redis, token: str | None
) -> None:
    register(waits, "old token")
    learn(client, "old token")
    for number in (1, 2):
        waits.add(call(number, token="old token"))
        assert register(waits, token, digest=None) == [call(number, token="old token")]


def test_the_token_of_before_is_the_device_s_own_and_no_other_s(waits: RedisWaits, client: redis.Redis) -> None:
    register(waits, "old token")
    learn(client, "old token")
    waits.add(call(token="old token"))
    assert register(waits, "new token", OTHER) == []
    assert waits.waiting() == [call(token="old token")]


def test_a_token_that_moved_to_another_device_leaves_its_calls_to_that_one(
    waits: RedisWaits, client: redis.Redis
) -> None:
    """A phone signs in as another device: who calls that one must not be answered when the first gets a new phone."""
    register(waits, "moved")
    learn(client, "moved")
    register(waits, "moved", OTHER)
    waits.add(call(token="moved"))
    assert register(waits, "new token") == []
    assert register(waits, "moved", OTHER) == [call(token="moved")]


def test_a_token_of_before_that_the_registration_token_leads_to_as_well_is_claimed_once(
    waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, "old token")
    learn(client, "old token")
    waits.add(call(token="old token", registration_token="58ecec69"))
    found = arrival(waits, token="new token", registration_token="58ecec69", device=DEVICE, digest="d")
    assert found.waits == (call(token="old token", registration_token="58ecec69"),)


def test_a_new_token_costs_three_round_trips_until_it_is_learned_and_then_one(
    waits: RedisWaits, client: redis.Redis
) -> None:
    register(waits, "old token")
    learn(client, "old token")
    with round_trips(client) as sent:
        register(waits, "new token", digest="d2")
        register(waits, "new token", digest="d2")
    assert len(sent) == 3 + 3
    learn(client, "new token", "d2")
    with round_trips(client) as sent:
        register(waits, "new token", digest="d2")
    assert len(sent) == 1


def test_an_unknown_registration_token_finds_nobody(waits: RedisWaits) -> None:
    waits.add(call())
    assert arrive(waits, None, "unknown") == []


def test_waiting_lists_by_deadline_without_what_was_claimed(waits: RedisWaits) -> None:
    late, soon, gone = call(1, s=20), call(2, token="other", s=10), call(3, s=15)
    for wait in (late, soon, gone):
        waits.add(wait)
    waits.claim(gone)
    assert waits.waiting() == [soon, late]


def test_a_registration_where_nobody_waits_costs_one_round_trip(waits: RedisWaits, client: redis.Redis) -> None:
    with round_trips(client) as sent:
        arrival(waits, token=TOKEN, registration_token="58ecec69", device=DEVICE, digest="d1")
    assert len(sent) == 1


def test_a_registration_that_answers_calls_costs_one_round_trip(waits: RedisWaits, client: redis.Redis) -> None:
    waits.add(call(registration_token="58ecec69"))
    with round_trips(client) as sent:
        assert arrive(waits, TOKEN, "58ecec69")
    assert len(sent) == 1


def test_a_registration_token_that_leads_to_another_push_token_costs_two_round_trips(
    waits: RedisWaits, client: redis.Redis
) -> None:
    waits.add(call(registration_token="58ecec69"))
    with round_trips(client) as sent:
        assert arrive(waits, "another token", "58ecec69")
    assert len(sent) == 2


def test_arriving_tells_what_was_learned_before(waits: RedisWaits, client: redis.Redis) -> None:
    first = arrival(waits, token=TOKEN, registration_token=None, device=DEVICE, digest="d1")
    learn(client, TOKEN, "d1")
    second = arrival(waits, token=TOKEN, registration_token=None, device=DEVICE, digest="d2")
    assert (first.learned, second.learned) == (None, "d1")


def test_the_longest_waiting_call_decides_how_long_redis_keeps_them(waits: RedisWaits, client: redis.Redis) -> None:
    for number, seconds in ((1, 5.0), (2, 19.2), (3, 10.0)):
        waits.add(call(number, registration_token="58ecec69", s=seconds))
    kept = {key: client.ttl(key) for key in client.keys("*") if key != keys.SINCE}
    assert len(kept) == 3
    assert all(19 <= ttl <= 20 for ttl in kept.values()), kept


def test_what_passed_does_not_pile_up(waits: RedisWaits, client: redis.Redis, clock: Clock) -> None:
    for number in range(10):
        waits.add(call(number, token=f"token {number}"))
    clock.time += 30
    waits.add(call(99, s=60))
    assert client.zcard(keys.DEADLINES) == 1


def test_a_call_whose_time_is_up_is_not_stored(waits: RedisWaits, client: redis.Redis, clock: Clock) -> None:
    waits.add(call(1, s=20))
    clock.time += 10
    waits.add(call(2, s=5))
    assert client.hlen(keys.waits(redact.digest(TOKEN))) == 1


def test_a_phone_is_listed_until_the_last_of_its_calls_gives_up(waits: RedisWaits, clock: Clock) -> None:
    waits.add(call(1, s=20))
    waits.add(call(2, s=5))
    clock.time += 10
    assert waits.waiting() == [call(1, s=20)]


def test_no_key_shows_a_token(waits: RedisWaits, client: redis.Redis) -> None:
    waits.add(call(registration_token="58ecec69"))
    arrival(waits, token="other", registration_token="58ecec70", device=DEVICE, digest="d1")
    names = " ".join([*client.keys("*"), *client.zrange(keys.DEADLINES, 0, -1)])
    assert names
    assert TOKEN not in names
    assert "58ecec69" not in names
    assert redact.digest(TOKEN) in names


def test_a_waiting_call_takes_less_than_a_kilobyte(real_client: redis.Redis) -> None:
    """With tokens, ids and times as long as they are in the field; all keys together, averaged over many calls."""
    waits = RedisWaits(real_client, now=lambda: 1_795_405_994.123456)
    calls = 1000
    for number in range(calls):
        wait = call(number, token=f"{number:022}:APA91b{'x' * 134}", registration_token=str(UUID(int=number)))
        times = {"received_at": 1_795_405_994.123456, "expires_at": 1_795_406_014.123456}
        waits.add(replace(wait, call_id=f"{number:04}-10722@198.51.100.17", **times))
    with real_client.pipeline(transaction=False) as commands:
        for key in real_client.keys("pusher:*"):
            commands.memory_usage(key, samples=0)
        sizes = commands.execute()
    assert len(sizes) == 2 * calls + 2
    assert sum(sizes) / calls < 1024


def test_of_many_processes_that_see_a_phone_arrive_each_call_goes_to_one(redis_url: str, clock: Clock) -> None:
    """Registrations, failing pushes and calls that are still coming in, all at once."""
    workers, rounds = 8, 30
    clients = [connect(redis_url) for _ in range(workers)]
    stores = [RedisWaits(client, now=clock) for client in clients]
    barrier = Barrier(workers)

    def work(worker: int) -> list[Wait]:
        taken: list[Wait] = []
        for turn in range(rounds):
            barrier.wait(10)
            stores[worker].add(call(turn * workers + worker, registration_token=f"r{turn}"))
            rivals = [call(turn * workers + n, registration_token=f"r{turn}") for n in range(workers)]
            taken += [rival for rival in rivals if stores[worker].claim(rival)] if worker % 4 == 0 else []
            taken += arrive(stores[worker], TOKEN if worker % 2 else None, f"r{turn}")
        return taken

    with ThreadPoolExecutor(workers) as pool:
        results = [wait for taken in pool.map(work, range(workers)) for wait in taken]
    results += arrive(stores[0])
    for client in clients:
        client.close()
    assert len(results) == len(set(results)) == workers * rounds
