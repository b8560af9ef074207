"""Which HTTP/2 connections a push goes out on: one pool per host and credential, shared by its apps."""

import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from pusher.clock import Deadline
from pusher.errors import CredentialInvalid
from pusher.http2.origin import Origin
from pusher.http2.pool import HTTP2Pool
from pusher.http2.request import Request, Response

#: A provider that did not answer by then will not: the call's time is better spent on another attempt.
ANSWER_WITHIN_S = 5.0
#: Pushes that fail together ask for a new connection together; they get one, not one each.
_RENEW_INTERVAL_S = 1.0
#: A credential that cannot be used is not looked at again so soon: its check may take 30 ms, during which no app of
#: this provider gets its pool.
_INVALID_S = 5.0
#: App ids come from the bus and may have no end; the ones pushed to least recently are forgotten.
_MAX_APPS = 1000


class Pool(Protocol):
    """What of `HTTP2Pool` is used here."""

    def send(self, request: Request, deadline: Deadline) -> Response:
        """Send and wait for the answer. Raises `NotProcessed` and `OutcomeUnknown`."""

    def warm(self) -> bool:
        """Have a connection for the next request; True where one is ready. Raises `NotProcessed`."""

    def renew(self) -> None:
        """Send what comes next on a new connection."""

    def close(self) -> None:
        """Close all connections."""


#: Makes a pool of an origin, a TLS context and a proxy URL.
Connect = Callable[[Origin, ssl.SSLContext, str | None], Pool]


def connect_http2(origin: Origin, context: ssl.SSLContext, proxy_url: str | None) -> Pool:
    """Return an `HTTP2Pool`; it connects with its first push."""
    return HTTP2Pool(origin, context, proxy_url=proxy_url)


#: Makes a new pool's TLS context and tells the epoch seconds when its credential expires, None for never.
Build = Callable[[], tuple[ssl.SSLContext, float | None]]


class PoolKey(NamedTuple):
    """What two apps must have in common to share connections."""

    #: `host` or `host:port`, lower case.
    host: str
    #: Digest of the credential.
    credential: str


@dataclass(slots=True, kw_only=True, eq=False)
class Lease:
    """A pool while it is known."""

    pool: Pool
    #: Epoch seconds when its credential expires; None for never.
    usable_until: float | None
    #: The apps whose last push went through it.
    apps: set[str] = field(default_factory=set)
    #: Pushes between send and answer.
    in_flight: int = 0
    #: Whether it is no longer lent and closes with its last answer.
    retired: bool = False
    #: `time.monotonic()` of the last renewal.
    renewed_at: float = 0.0

    def send(self, request: Request, deadline: Deadline) -> Response:
        """Send once, wait `ANSWER_WITHIN_S` at most. Raises `TransportError`."""
        return self.pool.send(request, deadline.at_most(ANSWER_WITHIN_S))

    def renew(self) -> None:
        """Have the next request travel on a connection that was opened a moment ago, or is opened for it."""
        now = time.monotonic()
        if now - self.renewed_at >= _RENEW_INTERVAL_S:
            self.renewed_at = now
            self.pool.renew()


class Pools:
    """The pools of one provider. Safe for threads.

    A pool that no app uses any more is closed once its last push is answered.
    """

    def __init__(
        self, *, proxy_url: str | None, connect: Connect, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._proxy_url = proxy_url
        self._connect = connect
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._leases: dict[PoolKey, Lease] = {}
        self._key_of_app: OrderedDict[str, PoolKey] = OrderedDict()
        #: When a credential was found invalid, in monotonic seconds, and why.
        self._invalid: dict[PoolKey, tuple[float, str]] = {}

    @contextmanager
    def lease(self, app_id: str, key: PoolKey, now: float, build: Build) -> Iterator[Lease]:
        """Lend the pool of `key` for one push of `app_id` at epoch seconds `now`.

        Raises `SettingsInvalid` for a host that is none, and what `build` raises.
        """
        idle: list[Pool] = []
        try:
            lease = self._take(app_id, key, now, build, idle)
        finally:
            # Closing may wait for the peer, so it happens outside the lock that every push needs.
            for pool in idle:
                pool.close()
        try:
            yield lease
        finally:
            if self._give_back(lease):
                lease.pool.close()

    def close(self) -> None:
        """Close every pool, whatever still waits for an answer."""
        with self._lock:
            leases = list(self._leases.values())
            self._leases.clear()
            self._key_of_app.clear()
        for lease in leases:
            lease.pool.close()

    def _take(self, app_id: str, key: PoolKey, now: float, build: Build, idle: list[Pool]) -> Lease:
        """Return the pool of `key`; pools that fell out of use on the way are added to `idle`."""
        with self._lock:
            if self._key_of_app.get(app_id, key) != key:
                self._leave(app_id, idle)
            lease = self._leases.get(key)
            if lease is not None and lease.usable_until is not None and now >= lease.usable_until:
                self._retire(key, idle)
                lease = None
            if lease is None:
                origin = Origin.parse(key.host)
                context, usable_until = self._build(key, build)
                pool = self._connect(origin, context, self._proxy_url)
                lease = self._leases[key] = Lease(pool=pool, usable_until=usable_until)
            lease.apps.add(app_id)
            lease.in_flight += 1
            self._key_of_app[app_id] = key
            self._key_of_app.move_to_end(app_id)
            if len(self._key_of_app) > _MAX_APPS:
                self._leave(next(iter(self._key_of_app)), idle)
            return lease

    def _build(self, key: PoolKey, build: Build) -> tuple[ssl.SSLContext, float | None]:
        """Return what `build` makes. Raises `CredentialInvalid` without calling it where it just did so itself."""
        now = self._monotonic()
        self._invalid = {known: found for known, found in self._invalid.items() if now - found[0] < _INVALID_S}
        if key in self._invalid:
            raise CredentialInvalid(self._invalid[key][1])
        try:
            return build()
        except CredentialInvalid as error:
            self._invalid[key] = (now, str(error))
            raise

    def _leave(self, app_id: str, idle: list[Pool]) -> None:
        """Forget which pool `app_id` uses, and retire the pool if it was the last to use it."""
        key = self._key_of_app.pop(app_id)
        lease = self._leases.get(key)
        if lease is not None:
            lease.apps.discard(app_id)
            if not lease.apps:
                self._retire(key, idle)

    def _retire(self, key: PoolKey, idle: list[Pool]) -> None:
        lease = self._leases.pop(key)
        lease.retired = True
        if lease.in_flight == 0:
            idle.append(lease.pool)

    def _give_back(self, lease: Lease) -> bool:
        """Count an answered push; True where it was the last of a pool that nobody uses any more."""
        with self._lock:
            lease.in_flight -= 1
            return lease.retired and lease.in_flight == 0
