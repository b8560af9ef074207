"""How Pusher talks to Redis: a second of patience with an outage, nothing said twice, one error for all."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pusher import trust
from pusher.errors import SettingsInvalid, StoreUnavailable
from pusher.outage import Outage

#: Seconds for a connection, an answer, or a free place in the pool: calls do not wait for a Redis that hangs.
TIMEOUT_S = 1.0
#: As many as a worker has threads.
MAX_CONNECTIONS = 100

#: A firewall that forgot an idle connection is noticed within 90 seconds, not by the next call that uses it.
_KEEPALIVE = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}


def connect(url: str, *, ca_file: str | None = None) -> "redis.Redis":
    """Return a client for `url`, safe for threads, connected on first use. Raises `SettingsInvalid`.

    With `rediss://`, `trust.client_context(ca_file)` says whom it trusts.
    """
    scheme = urlsplit(url).scheme
    options: dict[str, Any] = {}
    if scheme != "unix":
        options = {"socket_keepalive": True, "socket_keepalive_options": _KEEPALIVE}
    if scheme == "rediss":
        # The only option that the URL's query cannot replace.
        options["connection_class"] = _trusting(trust.client_context(ca_file))
    try:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            decode_responses=True,
            # The same answers from every version of redis-py, and no HELLO on each new connection.
            protocol=2,
            # A claim sent again would come back empty, and the call it took would never be answered.
            # Connections that Redis closed meanwhile are replaced by the pool all the same.
            retry=Retry(NoBackoff(), 0),
            **options,
        )
        # The options in the URL's query: most are looked at only when a connection is made.
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError) as error:
        problem = "takes no ssl_ options: PUSHER_CA_FILE adds authorities" if "ssl_" in urlsplit(url).query else None
        raise SettingsInvalid("PUSHER_REDIS_URL", problem or "has an option that Redis does not know") from error
    return redis.Redis.from_pool(pool)


def _trusting(context: ssl.SSLContext) -> type["redis.Connection"]:
    """Return a class of connections that speak TLS as `context` says, and know none of redis-py's own TLS options."""

    class TLSConnection(redis.Connection):
        def _connect(self) -> socket.socket:
            sock: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
            try:
                return context.wrap_socket(sock, server_hostname=self.host)
            except OSError as error:
                sock.close()
                raise redis.ConnectionError(f"{self.host}:{self.port}: {trust.tls_problem(error)}") from error

    return TLSConnection


def reach(client: "redis.Redis") -> None:
    """Connect now, so that the first command does not wait for it. Raises `StoreUnavailable`."""
    with RedisOutage.of(client).noticed():
        client.ping()


class RedisOutage(Outage):
    """What is known of a Redis that is away. All stores over one client share one."""

    _of_client: ClassVar["WeakKeyDictionary[redis.Redis, RedisOutage]"] = WeakKeyDictionary()
    _of_client_lock: ClassVar = threading.Lock()

    @classmethod
    def of(cls, client: "redis.Redis", monotonic: Callable[[], float] = time.monotonic) -> "RedisOutage":
        """Return the one for `client`, made on first use: the first caller's clock counts."""
        with cls._of_client_lock:
            return cls._of_client.setdefault(client, cls("Redis", StoreUnavailable, monotonic=monotonic))

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Run commands, turning what redis-py raises into `StoreUnavailable`; raise that at once during an outage."""
        self.let_pass()
        began = self._monotonic()
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError) as error:
            hangs = isinstance(error, redis.TimeoutError) or self._monotonic() - began > TIMEOUT_S / 2
            self.begins(str(error), at_once=not hangs)
            raise StoreUnavailable(f"Redis: {error}") from error
        except redis.RedisError as error:
            # A refusal is an answer.
            self.ends()
            # The text of a ResponseError may quote the command, and so a push token.
            raise StoreUnavailable(f"Redis: {type(error).__name__}") from error
        self.ends()
