"""`rediss://`: whom we trust, whatever the URL's query says, and what it says where we do not."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from pusher.clock import utcnow
from pusher.errors import SettingsInvalid, StoreUnavailable
from pusher.outage import RETRY_S
from pusher.simulators.authority import Authority
from pusher.stores.connection import TIMEOUT_S, RedisOutage, connect, reach
from pusher.stores.sent import RedisSent
from tests.support.redis import RedisServer


@pytest.fixture
def ca_file(redis_server: RedisServer) -> str:
    """The authority that signed the certificate of a Redis that runs."""
    redis_server.start()
    redis_server.flush()
    return str(redis_server.authority.ca_file)


@contextmanager
def client(url: str, ca_file: str | None) -> Iterator[redis.Redis]:
    """Yield a client that is closed afterwards."""
    made = connect(url, ca_file=ca_file)
    with made:
        yield made


def refusal(url: str, ca_file: str | None) -> str:
    """Return why there is no connection."""
    with client(url.replace("://", "://:geheim@"), ca_file) as made, pytest.raises(StoreUnavailable) as caught:
        reach(made)
    assert "geheim" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_trusted_redis_is_used(redis_server: RedisServer, ca_file: str, host: str) -> None:
    with client(redis_server.tls_url(host), ca_file) as made:
        sent = RedisSent(made)
        assert not sent.accepted("push")
        sent.mark("push", time.time())
        assert sent.accepted("push")


def test_an_authority_that_we_do_not_know_is_refused(
    redis_server: RedisServer, ca_file: str, authority: Authority
) -> None:
    for stranger in (None, str(authority.ca_file)):
        assert ": its certificate is not accepted: " in refusal(redis_server.tls_url(), stranger)


@pytest.mark.parametrize(
    "option", ["ssl_cert_reqs=none", "ssl_check_hostname=false", "ssl_ca_certs=/etc/ca.pem", "connection_class=x"]
)
def test_the_url_s_query_changes_no_trust(redis_server: RedisServer, ca_file: str, option: str) -> None:
    if option.startswith("ssl_"):
        with pytest.raises(SettingsInvalid, match=r"^PUSHER_REDIS_URL: ") as caught:
            connect(f"{redis_server.tls_url()}?{option}", ca_file=None)
        assert "PUSHER_CA_FILE" in str(caught.value)
    else:
        assert "not accepted" in refusal(f"{redis_server.tls_url()}?{option}", None)


def test_a_certificate_for_another_host_is_refused(redis_server: RedisServer, ca_file: str) -> None:
    with redis_server.presenting(redis_server.authority.server_certificate("elsewhere.example", "192.0.2.1")):
        for host in ("127.0.0.1", "localhost"):
            problem = refusal(redis_server.tls_url(host), ca_file)
            assert f"mismatch, certificate is not valid for '{host}'" in problem


def test_an_expired_certificate_is_refused(redis_server: RedisServer, ca_file: str) -> None:
    last_year = utcnow() - timedelta(days=400)
    expired = redis_server.authority.server_certificate("127.0.0.1", not_before=last_year)
    with redis_server.presenting(expired):
        assert refusal(redis_server.tls_url(), ca_file).endswith(": certificate has expired")


def test_a_redis_that_speaks_no_tls_costs_the_usual_limit(redis_server: RedisServer, ca_file: str) -> None:
    """It waits for the end of a command, which a handshake has not."""
    began = time.monotonic()
    problem = refusal(redis_server.url.replace("redis://", "rediss://"), ca_file)
    assert time.monotonic() - began < 2 * TIMEOUT_S
    assert problem.endswith(": no answer to the TLS handshake: does it speak TLS there?")


def test_redis_is_used_as_soon_as_it_can_be_trusted(redis_server: RedisServer, ca_file: str) -> None:
    now = [100.0]
    with client(redis_server.tls_url(), ca_file) as made:
        RedisOutage.of(made, lambda: now[0])
        with redis_server.presenting(redis_server.authority.server_certificate("elsewhere.example")):
            with pytest.raises(StoreUnavailable, match="not accepted"):
                reach(made)
            with pytest.raises(StoreUnavailable, match=r"left alone for some seconds: .* not accepted"):
                reach(made)
        now[0] += RETRY_S
        reach(made)


def test_a_ca_file_that_cannot_be_used_ends_the_process_at_its_start(ca_file: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"^PUSHER_CA_FILE: "):
        connect("rediss://127.0.0.1", ca_file=str(tmp_path / "none.pem"))
    with client("redis://127.0.0.1", str(tmp_path / "none.pem")):
        pass
