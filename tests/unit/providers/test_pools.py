"""Which pool a push goes out on, and when a pool is closed."""

import ssl
import threading

import pytest

from pusher.clock import Deadline
from pusher.errors import CredentialInvalid, SettingsInvalid
from pusher.http2.request import Request
from pusher.providers.pools import ANSWER_WITHIN_S, PoolKey, Pools
from tests.unit.providers import doubles

KEY = PoolKey("push.example", "a")
OTHER = PoolKey("push.example", "b")
REQUEST = Request(path="/", body=b"{}")


def context() -> tuple[ssl.SSLContext, float | None]:
    """Return what a new pool needs, of a credential without an end."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), None


def broken() -> tuple[ssl.SSLContext, float | None]:
    """Fail as a credential does that cannot be used."""
    raise CredentialInvalid("broken")


@pytest.fixture
def made() -> doubles.Pools:
    return doubles.Pools()


@pytest.fixture
def pools(made: doubles.Pools) -> Pools:
    return Pools(proxy_url=None, connect=made.connect)


def push(pools: Pools, app_id: str, key: PoolKey) -> None:
    with pools.lease(app_id, key, 0.0, context) as lease:
        lease.send(REQUEST, Deadline.after(9))


def closed(made: doubles.Pools) -> list[int]:
    return [pool.closed for _, pool in made.made]


def test_many_pushes_share_one_pool(pools: Pools, made: doubles.Pools) -> None:
    for _ in range(500):
        push(pools, "app", KEY)
    assert len(made.pool.requests) == 500


def test_apps_with_the_same_key_share_one_pool(pools: Pools, made: doubles.Pools) -> None:
    push(pools, "app", KEY)
    push(pools, "other", KEY)
    assert len(made.made) == 1


@pytest.mark.parametrize("key", [OTHER, PoolKey("sandbox.example:2197", "a")])
def test_changed_credential_or_host_closes_the_old_pool(pools: Pools, made: doubles.Pools, key: PoolKey) -> None:
    push(pools, "app", KEY)
    push(pools, "app", key)
    assert [host for host, _ in made.made] == ["push.example", key.host]
    assert closed(made) == [1, 0]


def test_pool_that_another_app_uses_stays(pools: Pools, made: doubles.Pools) -> None:
    push(pools, "app", KEY)
    push(pools, "other", KEY)
    push(pools, "app", OTHER)
    assert closed(made) == [0, 0]
    push(pools, "other", OTHER)
    assert closed(made) == [1, 0]


def test_old_pool_is_closed_after_its_last_answer(pools: Pools, made: doubles.Pools) -> None:
    with pools.lease("app", KEY, 0.0, context) as first:
        with pools.lease("app", KEY, 0.0, context):
            push(pools, "app", OTHER)
            assert closed(made) == [0, 0]
            first.send(REQUEST, Deadline.after(9))
        assert closed(made) == [0, 0]
    assert closed(made) == [1, 0]


def test_broken_new_credential_closes_the_old_pool_and_leaves_none(pools: Pools, made: doubles.Pools) -> None:
    push(pools, "app", KEY)
    for _ in range(2):
        with pytest.raises(CredentialInvalid), pools.lease("app", OTHER, 0.0, broken):
            pass
    assert closed(made) == [1]


def test_broken_credential_is_looked_at_once_in_five_seconds(made: doubles.Pools) -> None:
    clock = doubles.FakeClock()
    pools = Pools(proxy_url=None, connect=made.connect, monotonic=clock.monotonic)
    looked: list[float] = []

    def look() -> tuple[ssl.SSLContext, float | None]:
        looked.append(clock.monotonic() - 1000)
        return broken()

    for _ in range(12):
        with pytest.raises(CredentialInvalid, match=r"\Abroken\Z"), pools.lease("app", KEY, 0.0, look):
            pass
        clock.sleep(0.5)
    assert looked == [0, 5]
    # Other credentials do not wait for it, and a good one is never held to have been broken.
    push(pools, "other", OTHER)
    clock.sleep(5)
    push(pools, "app", KEY)
    assert closed(made) == [0, 0]


def test_host_that_is_none_is_said(pools: Pools) -> None:
    with pytest.raises(SettingsInvalid), pools.lease("app", PoolKey("a b", "a"), 0.0, context):
        pass


def test_pool_ends_with_its_certificate(pools: Pools, made: doubles.Pools) -> None:
    def until_100() -> tuple[ssl.SSLContext, float | None]:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), 100.0

    for now in (99.0, 99.9, 100.0):
        with pools.lease("app", KEY, now, until_100):
            pass
    assert closed(made) == [1, 0]


def test_close_closes_all(pools: Pools, made: doubles.Pools) -> None:
    push(pools, "app", KEY)
    push(pools, "other", OTHER)
    pools.close()
    assert closed(made) == [1, 1]


def test_endless_app_ids_are_forgotten(pools: Pools, made: doubles.Pools) -> None:
    push(pools, "single", KEY)
    for n in range(1000):
        push(pools, f"app{n}", OTHER)
    # The first app was forgotten, and nobody else used its pool; the other pool is still in use.
    assert closed(made) == [1, 0]


def test_pushes_that_fail_together_renew_once(pools: Pools, made: doubles.Pools) -> None:
    with pools.lease("app", KEY, 0.0, context) as lease:
        for _ in range(5):
            lease.renew()
    assert len(made.pool.renewed_after) == 1


def test_an_answer_is_waited_for_five_seconds_at_most(pools: Pools, made: doubles.Pools) -> None:
    assert ANSWER_WITHIN_S == 5
    with pools.lease("app", KEY, 0.0, context) as lease:
        # The double fails if it is given longer.
        lease.send(REQUEST, Deadline.after(60))
    assert len(made.pool.requests) == 1


def test_threads_that_start_together_make_one_pool(pools: Pools, made: doubles.Pools) -> None:
    together = threading.Barrier(50)

    def work() -> None:
        together.wait(10)
        push(pools, "app", KEY)

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(made.pool.requests) == 50
