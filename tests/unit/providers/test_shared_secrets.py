"""One token for all processes, renewed by one of them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pusher.clock import Deadline
from pusher.errors import GrantFailed, StoreUnavailable
from pusher.providers.shared_secrets import Ages, Grant, SharedSecrets
from tests.unit.providers.doubles import FakeClock, MemoryTokens

MINUTE = 60.0
AGES = Ages(early_s=15 * MINUTE, min_interval_s=20 * MINUTE, lock_s=6)


class Process:
    """A process of its own: a cache, and the tokens it made."""

    def __init__(
        self,
        store: MemoryTokens,
        clock: FakeClock,
        name: str,
        lifetime_s: float = 60 * MINUTE,
        ages: Ages = AGES,
    ) -> None:
        self.secrets = SharedSecrets(store, ages, wall=clock.wall, monotonic=clock.monotonic, sleep=clock.sleep)
        self.name = name
        self.lifetime_s = lifetime_s
        self.made: list[float] = []
        self.failure: GrantFailed | None = None

    def issue(self, now: float, deadline: Deadline) -> Grant:
        self.made.append(now)
        if self.failure is not None:
            raise self.failure
        return Grant(text=f"{self.name}-{len(self.made)}", lifetime_s=self.lifetime_s)

    def get(self) -> str:
        return self.secrets.get("key", self.issue, Deadline.after(5))

    def renew(self, refused: str) -> str | None:
        return self.secrets.renew("key", refused, self.issue, Deadline.after(5))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryTokens:
    return MemoryTokens(clock.monotonic)


def test_second_process_uses_what_the_first_made(store: MemoryTokens, clock: FakeClock) -> None:
    first, second = Process(store, clock, "first"), Process(store, clock, "second")
    assert [first.get(), second.get()] == ["first-1", "first-1"]
    assert second.made == []


def test_hot_path_asks_the_store_once(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    process.get()
    asked = store.gets
    for _ in range(500):
        process.get()
    assert store.gets == asked


def test_renewed_at_45_minutes_and_not_before(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    assert process.get() == "a-1"
    clock.sleep(44.9 * MINUTE)
    assert process.get() == "a-1"
    clock.sleep(0.2 * MINUTE)
    assert process.get() == "a-2"


def test_one_of_two_processes_renews_and_the_other_follows(store: MemoryTokens, clock: FakeClock) -> None:
    first, second = Process(store, clock, "first"), Process(store, clock, "second")
    first.get(), second.get()
    clock.sleep(46 * MINUTE)
    assert [second.get(), first.get()] == ["second-1", "second-1"]
    assert len(first.made) == 1


def test_old_token_serves_while_another_process_renews(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    process.get()
    clock.sleep(46 * MINUTE)
    assert store.try_lock("key", 10)
    assert process.get() == "a-1"
    clock.sleep(11)
    assert process.get() == "a-2"


def test_restart_finds_the_token(store: MemoryTokens, clock: FakeClock) -> None:
    Process(store, clock, "before").get()
    clock.sleep(44 * MINUTE)
    after = Process(store, clock, "after")
    assert after.get() == "before-1"
    clock.sleep(2 * MINUTE)
    assert after.get() == "after-1"


def test_process_without_a_token_waits_for_the_one_that_makes_it(store: MemoryTokens, clock: FakeClock) -> None:
    store.try_lock("key", 2)
    process = Process(store, clock, "a")
    started = clock.monotonic()
    assert process.get() == "a-1"
    assert 2 <= clock.monotonic() - started < 3


def test_waiting_for_another_process_ends_with_the_deadline(store: MemoryTokens, clock: FakeClock) -> None:
    store.try_lock("key", 1e9)
    process = Process(store, clock, "a")
    with pytest.raises(GrantFailed) as failed:
        process.secrets.get("key", process.issue, Deadline.after(0.0))
    assert not failed.value.ours
    assert process.made == []


def test_without_store_each_process_makes_its_own_with_the_same_ages(store: MemoryTokens, clock: FakeClock) -> None:
    store.up = False
    first, second = Process(store, clock, "first"), Process(store, clock, "second")
    assert [first.get(), second.get(), first.get()] == ["first-1", "second-1", "first-1"]
    clock.sleep(46 * MINUTE)
    assert first.get() == "first-2"


def test_without_store_a_young_token_is_not_renewed_either(store: MemoryTokens, clock: FakeClock) -> None:
    store.up = False
    process = Process(store, clock, "a")
    assert process.renew(process.get()) is None


def test_store_that_fails_after_the_lock_costs_nothing(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    real = process.issue

    def issue(now: float, deadline: Deadline) -> Grant:
        store.up = False
        return real(now, deadline)

    assert process.secrets.get("key", issue, Deadline.after(5)) == "a-1"
    assert process.get() == "a-1"


def test_refused_token_is_not_replaced_within_20_minutes(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    token = process.get()
    clock.sleep(19 * MINUTE)
    assert process.renew(token) is None
    clock.sleep(1.1 * MINUTE)
    assert process.renew(token) == "a-2"
    assert process.renew("a-2") is None
    assert process.get() == "a-2"


def test_provider_that_refuses_everything_costs_one_token_a_minute(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a", ages=Ages(early_s=MINUTE, min_interval_s=0, lock_s=6))
    token = process.get()
    assert process.renew(token) == "a-2"
    for _ in range(5):
        clock.sleep(11)
        assert process.renew("a-2") is None
    clock.sleep(11)
    assert process.renew("a-2") == "a-3"


def test_failed_renewal_of_a_refused_token_may_be_tried_again(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    token = process.get()
    clock.sleep(21 * MINUTE)
    process.failure = GrantFailed("down", ours=False)
    with pytest.raises(GrantFailed):
        process.renew(token)
    process.failure = None
    clock.sleep(2)
    assert process.renew(token) == "a-3"


def test_refused_token_that_another_process_replaced_is_not_replaced_again(
    store: MemoryTokens, clock: FakeClock
) -> None:
    first, second = Process(store, clock, "first"), Process(store, clock, "second")
    token = first.get()
    assert second.get() == token
    clock.sleep(21 * MINUTE)
    assert first.renew(token) == "first-2"
    assert second.renew(token) == "first-2"
    assert second.made == []


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0, -7_200.0, 7_200.0])
def test_jump_of_the_clock_renews_nothing_in_a_running_process(
    store: MemoryTokens, clock: FakeClock, jump_s: float
) -> None:
    process = Process(store, clock, "a")
    process.get()
    for direction in (1, -1, 1):
        clock.wall_s += direction * jump_s
        assert process.get() == "a-1"
    assert len(process.made) == 1


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
def test_jump_of_the_clock_costs_a_restarted_process_one_renewal(
    store: MemoryTokens, clock: FakeClock, jump_s: float
) -> None:
    Process(store, clock, "before").get()
    clock.sleep(10)
    clock.wall_s += jump_s
    after = Process(store, clock, "after")
    tokens = set()
    for _ in range(20):
        tokens.add(after.get())
        clock.sleep(MINUTE)
    assert tokens == {"after-1"}
    assert Process(store, clock, "third").get() == "after-1"


def test_clock_that_jumps_back_still_renews_in_real_time(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    process.get()
    clock.wall_s -= 86_400
    clock.sleep(46 * MINUTE)
    assert process.get() == "a-2"


@pytest.mark.parametrize("wrong_by_s", [-86_400.0, -3_600.0, 3_600.0, 86_400.0])
def test_token_dated_by_a_wrong_clock_is_replaced_when_refused_once_the_clock_is_right(
    store: MemoryTokens, clock: FakeClock, wrong_by_s: float
) -> None:
    clock.wall_s += wrong_by_s
    process = Process(store, clock, "a")
    token = process.get()
    # As long as the clock is wrong, another token would be no better.
    assert process.renew(token) is None
    clock.wall_s -= wrong_by_s
    assert process.renew(token) == "a-2"
    assert process.renew("a-2") is None
    assert len(process.made) == 2


def test_token_that_expired_while_the_host_was_suspended_is_replaced_when_refused(
    store: MemoryTokens, clock: FakeClock
) -> None:
    process = Process(store, clock, "a")
    token = process.get()
    # The monotonic clock of Linux stands still meanwhile.
    clock.wall_s += 2 * 60 * MINUTE
    assert process.get() == token
    assert process.renew(token) == "a-2"


def test_short_lived_tokens_serve_half_their_life(store: MemoryTokens, clock: FakeClock) -> None:
    ages = Ages(early_s=15 * MINUTE, min_interval_s=0, lock_s=6)
    process = Process(store, clock, "a", lifetime_s=5 * MINUTE, ages=ages)
    process.get()
    clock.sleep(2 * MINUTE)
    assert process.get() == "a-1"
    clock.sleep(1 * MINUTE)
    assert process.get() == "a-2"


def test_a_token_is_not_replaced_before_its_provider_takes_another(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a", lifetime_s=25 * MINUTE)
    process.get()
    clock.sleep(20 * MINUTE - 1)
    assert process.get() == "a-1"
    clock.sleep(1)
    assert process.get() == "a-2"


def test_a_token_that_lives_shorter_than_that_is_replaced_while_it_lives(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a", lifetime_s=10 * MINUTE)
    process.get()
    clock.sleep(10 * MINUTE - 30)
    assert process.get() == "a-2"


def test_failed_renewal_keeps_the_old_token_while_it_works(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    process.get()
    clock.sleep(50 * MINUTE)
    process.failure = GrantFailed("down", ours=False)
    assert process.get() == "a-1"
    clock.sleep(9 * MINUTE)
    assert process.get() == "a-1"
    clock.sleep(1 * MINUTE)
    with pytest.raises(GrantFailed, match="down"):
        process.get()


def test_pushes_right_after_a_failure_share_it(store: MemoryTokens, clock: FakeClock) -> None:
    process = Process(store, clock, "a")
    process.failure = GrantFailed("down", ours=True)
    for _ in range(5):
        with pytest.raises(GrantFailed) as failed:
            process.get()
        assert failed.value.ours
    assert len(process.made) == 1


def test_process_that_failed_tries_again_without_waiting_for_its_own_lock(
    store: MemoryTokens, clock: FakeClock
) -> None:
    process = Process(store, clock, "a")
    process.failure = GrantFailed("down", ours=False)
    with pytest.raises(GrantFailed):
        process.get()
    process.failure = None
    clock.sleep(1.1)
    started = clock.monotonic()
    assert process.get() == "a-2"
    assert clock.monotonic() == started


@pytest.mark.parametrize("text", ["", "nonsense", "x token", "² token"])
def test_broken_entry_in_the_store_is_replaced(store: MemoryTokens, clock: FakeClock, text: str) -> None:
    store.put("key", text, issued_at=clock.wall(), expires_at=clock.wall() + 3600)
    store.clock = clock.wall
    assert Process(store, clock, "a").get() == "a-1"


def test_hundred_threads_make_one_token() -> None:
    clock = FakeClock()
    process = Process(MemoryTokens(clock.monotonic), clock, "a")
    together = threading.Barrier(100)
    tokens: list[str] = []

    def push(get: Callable[[], str]) -> None:
        together.wait(10)
        tokens.append(get())

    threads = [threading.Thread(target=push, args=(process.get,)) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert tokens == ["a-1"] * 100
    assert len(process.made) == 1


@dataclass
class HangingTokens(MemoryTokens):
    """A store that never answers; each call that `asked` it costs its thread a second."""

    asked: int = 0

    def _check(self) -> None:
        self.asked += 1
        raise StoreUnavailable("Redis hangs")


@dataclass(frozen=True)
class Queued(Deadline):
    """The deadline of a push that waits for its turn while `other` has it."""

    other: Callable[[], object]

    def remaining_s(self) -> float:
        self.other()
        return super().remaining_s()


def test_push_that_waited_for_the_token_does_not_ask_a_hanging_store(clock: FakeClock) -> None:
    store = HangingTokens(clock.monotonic)
    process = Process(store, clock, "a")
    asked: list[int] = []

    def other() -> None:
        process.get()
        asked.append(store.asked)

    assert process.secrets.get("key", process.issue, Queued(Deadline.after(5).at, other)) == "a-1"
    assert asked == [store.asked]


def test_push_whose_refused_token_was_renewed_meanwhile_does_not_ask_a_hanging_store(clock: FakeClock) -> None:
    store = HangingTokens(clock.monotonic)
    process = Process(store, clock, "a")
    token = process.get()
    clock.sleep(21 * MINUTE)
    assert process.renew(token) == "a-2"
    asked = store.asked
    assert process.renew(token) == "a-2"
    assert store.asked == asked


def test_secrets_are_not_in_reprs() -> None:
    assert "hidden" not in repr(Grant(text="hidden", lifetime_s=1))
