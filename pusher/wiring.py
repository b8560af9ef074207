"""Settings -> connected edges -> flows: the only place that constructs edges."""

import random
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from redis import Redis

from pusher.bus.consumer import BusConsumer
from pusher.bus.listener import Listener, settings_watcher
from pusher.bus.publisher import BusPublisher
from pusher.bus.tls import TLS
from pusher.documents.couchdb import CouchDBDocuments
from pusher.documents.sealed import SecretKeys
from pusher.documents.sqlite import SQLiteDocuments
from pusher.documents.system_config import SystemConfig
from pusher.errors import BusUnavailable, StoreUnavailable
from pusher.flows.accept_push import AcceptPush
from pusher.flows.accept_registration import AcceptRegistration
from pusher.flows.answer_waiting import AnswerWaiting
from pusher.flows.deliver_push import DeliverPush
from pusher.flows.device_document import DeviceDocument
from pusher.flows.fail_call import FailCall
from pusher.flows.forget_device import ForgetDevice
from pusher.flows.guarded_provider import GuardedProvider
from pusher.flows.keep_warm import KeepWarm
from pusher.flows.learn_device import LearnDevice
from pusher.flows.settle_push import SettlePush
from pusher.ports import Enqueue
from pusher.providers.apple.client import APNsClient
from pusher.providers.firebase.client import FCMClient
from pusher.push.app import ProviderName
from pusher.settings import Settings
from pusher.stores.connection import connect, reach
from pusher.stores.sent import RedisSent
from pusher.stores.shared_tokens import RedisSharedTokens
from pusher.stores.tokens import RedisTokens
from pusher.stores.waits import RedisWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """What a process is connected to. Connections are made on first use."""

    settings: Settings
    redis: Redis
    secret_keys: SecretKeys
    documents: CouchDBDocuments | SQLiteDocuments
    system_config: SystemConfig
    waits: RedisWaits
    publisher: BusPublisher
    #: How the bus is spoken to, None where it is without TLS.
    bus_tls: TLS | None

    @classmethod
    def of(cls, settings: Settings, redis_client: Redis | None = None) -> Self:
        """Return the edges that `settings` name; the demo brings a Redis of its own. Raises `SettingsInvalid`."""
        documents = _documents(settings)
        keys = SecretKeys(settings.secret_keys)
        client = connect(settings.redis_url, ca_file=settings.ca_file) if redis_client is None else redis_client
        bus_tls = TLS.of(settings.bus_url, settings.ca_file)
        return cls(
            settings=settings,
            redis=client,
            waits=RedisWaits(client),
            secret_keys=keys,
            documents=documents,
            system_config=SystemConfig(documents, zone=settings.zone, keys=keys),
            publisher=BusPublisher(settings.bus_url, settings.node, tls=bus_tls),
            bus_tls=bus_tls,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def warm(self) -> None:
        """Connect to bus and Redis now where they can be reached, so that the first call waits for neither."""
        with suppress(StoreUnavailable):
            reach(self.redis)
        with suppress(BusUnavailable):
            self.publisher.connect()

    def close(self) -> None:
        """Close every connection."""
        self.publisher.close()
        self.system_config.close()
        self.documents.close()
        self.redis.close()


def _documents(settings: Settings) -> CouchDBDocuments | SQLiteDocuments:
    if settings.documents_url.startswith("sqlite:"):
        return SQLiteDocuments.from_url(settings.documents_url)
    return CouchDBDocuments.from_url(settings.documents_url, ca_file=settings.ca_file)


def listener(edges: Edges, enqueue_calls: Enqueue, enqueue_changes: Enqueue) -> Listener:
    """Return the bus listener with its flows; calls and registrations enqueue apart, so that none waits for another."""
    return Listener(
        edges.settings.bus_url,
        publisher=edges.publisher,
        accept_pushes=AcceptPush(
            waits=edges.waits,
            enqueue=enqueue_calls,
            announce=edges.publisher,
            wake_window_s=edges.settings.wake_window_s,
            monotonic=time.monotonic,
        ),
        accept_registrations=AcceptRegistration(
            settings=edges.system_config,
            waits=edges.waits,
            tokens=RedisTokens(edges.redis),
            answer_waiting=AnswerWaiting(edges.waits, edges.publisher),
            enqueue=enqueue_changes,
            monotonic=time.monotonic,
        ),
        settings_changed=edges.system_config.drop,
        wake_window_s=edges.settings.wake_window_s,
        tls=edges.bus_tls,
    )


def providers(edges: Edges) -> dict[ProviderName, APNsClient | FCMClient]:
    """Return the push services, with no connection yet."""
    shared_tokens = RedisSharedTokens(edges.redis)
    settings = edges.settings
    return {
        ProviderName.APPLE: APNsClient(
            ca_file=settings.ca_file, proxy_url=settings.proxy_url, shared_tokens=shared_tokens
        ),
        ProviderName.FIREBASE: FCMClient(
            ca_file=settings.ca_file, proxy_url=settings.proxy_url, shared_tokens=shared_tokens
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFlows:
    """What a worker's tasks call."""

    deliver_push: DeliverPush
    settle_push: SettlePush
    learn_device: LearnDevice
    forget_device: ForgetDevice
    _edges: Edges
    _providers: dict[ProviderName, APNsClient | FCMClient]
    _watcher: BusConsumer
    #: By what `keep_warm` was told; empty until then.
    _keepers: list[KeepWarm] = field(default_factory=list)

    @classmethod
    def of(cls, edges: Edges, enqueue: Enqueue, *, threads: int) -> Self:
        """Return the flows of a worker with so many threads over `edges`, which they close when they are closed."""
        tokens = RedisTokens(edges.redis)
        document = DeviceDocument(edges.documents, edges.publisher)
        push_services = providers(edges)
        return cls(
            deliver_push=DeliverPush(
                settings=edges.system_config,
                providers={name: GuardedProvider(service, threads) for name, service in push_services.items()},
                sent=RedisSent(edges.redis),
            ),
            settle_push=SettlePush(
                fail_call=FailCall(edges.waits, edges.publisher),
                tokens=tokens,
                enqueue=enqueue,
                rng=random.Random(),  # noqa: S311 (jitter, not a secret)
            ),
            learn_device=LearnDevice(document=document, tokens=tokens),
            forget_device=ForgetDevice(document=document, tokens=tokens),
            _edges=edges,
            _providers=push_services,
            _watcher=settings_watcher(
                edges.settings.bus_url,
                publisher=edges.publisher,
                settings_changed=edges.system_config.drop,
                tls=edges.bus_tls,
            ),
        )

    def start(self) -> None:
        """Connect, and begin to watch for changed settings."""
        self._edges.warm()
        self._watcher.start()

    def keep_warm(self, served: Iterable[ProviderName]) -> None:
        """Keep connections to the push services open that this worker's queues lead to."""
        keeper = KeepWarm(
            list_apps=self._edges.system_config.apps,
            providers={name: self._providers[name] for name in served},
        )
        self._keepers.append(keeper)
        keeper.start()

    def bury(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Keep a task that nobody understands in `pusher.dead`. Raises `BusUnavailable`."""
        self._edges.publisher.bury(body, headers, "application/json")

    def close(self) -> None:
        """Stop watching and close every connection."""
        self._watcher.stop()
        for keeper in self._keepers:
            keeper.stop()
        for push_service in self._providers.values():
            push_service.close()
        self._edges.close()
