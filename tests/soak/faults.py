"""Carries out the faults of a plan: called from the main thread, because the kernel ends servers with their starter."""

import heapq
import itertools
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from pusher.simulators.misbehaviour import GoAway
from pusher.simulators.server import HTTP2Server
from tests.acceptance.system import PATIENCE_S, System
from tests.soak.plan import Fault, Strike
from tests.soak.record import FaultRecord, Struck
from tests.support.couchdb import CouchDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer
from tests.support.until import until

WORKERS = ("worker-1", "worker-2")
LISTENER, SECOND = "listener-1", "listener-2"
_USUAL_STREAMS = {"APNsSimulator": 1000, "FCMSimulator": 100}

#: What ends a fault.
End = Callable[[], object]


class Faults:
    """Strikes, repairs, and notes when."""

    def __init__(self, system: System, rabbitmq: RabbitMQ, redis: RedisServer, couchdb: CouchDB) -> None:
        self._system = system
        self._rabbitmq = rabbitmq
        self._redis = redis
        self._couchdb = couchdb
        self._turn = itertools.count()
        self._holders: dict[int, socket.socket] = {}
        self.records: list[FaultRecord] = []
        #: Processes that ended by themselves, or badly.
        self.ended: list[str] = []

    def play(self, strikes: Sequence[Strike], began: float, seconds: float, tick: Callable[[], None]) -> None:
        """Carry out `strikes`, counted from monotonic seconds `began`; `tick` is called every half second or so.

        All is repaired when it returns.
        """
        due: list[tuple[float, int, Callable[[], None]]] = []
        for strike in strikes:
            heapq.heappush(due, (strike.at, next(self._turn), lambda strike=strike: self._strike(strike, due, began)))
        while due or time.monotonic() < began + seconds:
            tick()
            self._look()
            passed = time.monotonic() - began
            if due and due[0][0] <= passed:
                heapq.heappop(due)[2]()
            else:
                time.sleep(min(0.5, (due[0][0] if due else seconds) - passed) if (due or passed < seconds) else 0)

    def close(self) -> None:
        """Let go of what was held."""
        for holder in self._holders.values():
            holder.close()

    def _look(self) -> None:
        """Start again whatever ended by itself, and note it."""
        for name in self._system.running:
            if not self._system.alive(name):
                status = self._system.stop(name)
                self.ended.append(f"{name} ended by itself with {status}")
                (self._system.start_worker if name in WORKERS else self._system.start_listener)(name)

    def _strike(self, strike: Strike, due: list[tuple[float, int, Callable[[], None]]], began: float) -> None:
        since = time.time()
        struck, end = self._begin(strike.fault)

        def repair() -> None:
            end()
            self.records.append(FaultRecord(kind=strike.fault, struck=struck, began=since, ended=time.time()))

        if strike.lasts_s:
            heapq.heappush(due, (time.monotonic() - began + strike.lasts_s, next(self._turn), repair))
        else:
            repair()

    def _begin(self, fault: Fault) -> tuple[Struck, End]:
        match fault:
            case Fault.REDIS_FLUSHED | Fault.REDIS_AWAY | Fault.REDIS_HANGS:
                return Struck.REDIS, self._redis_fault(fault)
            case Fault.DOCUMENTS_AWAY:
                return Struck.DOCUMENTS, _entered(self._couchdb.refusing())
            case Fault.DOCUMENTS_HANG:
                return Struck.DOCUMENTS, _entered(self._couchdb.paused())
            case Fault.BROKER_RESTARTED | Fault.BROKER_KILLED | Fault.CONNECTIONS_CLOSED:
                return Struck.BROKER, self._broker_fault(fault)
            case Fault.APPLE_AWAY | Fault.APPLE_ONE_STREAM | Fault.APPLE_GOES_AWAY:
                return Struck.APPLE, self._provider_fault(fault, self._system.stage.apns)
            case Fault.FIREBASE_AWAY | Fault.FIREBASE_ONE_STREAM | Fault.FIREBASE_RESETS:
                return Struck.FIREBASE, self._provider_fault(fault, self._system.stage.fcm)
            case Fault.LISTENER_KILLED | Fault.LISTENER_RESTARTED | Fault.SECOND_LISTENER:
                return Struck.LISTENER, self._listener_fault(fault)
            case _:
                return Struck.WORKER, self._worker_fault(fault)

    def _redis_fault(self, fault: Fault) -> End:
        match fault:
            case Fault.REDIS_FLUSHED:
                self._redis.flush()
                return _nothing
            case Fault.REDIS_AWAY:
                self._redis.stop()
                return self._redis.start
            case _:
                return _entered(self._redis.paused())

    def _broker_fault(self, fault: Fault) -> End:
        consuming = self._log_count(" INFO consuming ")
        match fault:
            case Fault.BROKER_RESTARTED:
                self._rabbitmq.stop()
            case Fault.BROKER_KILLED:
                self._rabbitmq.kill()
            case _:
                self._rabbitmq.close_connections()

        def end() -> None:
            self._rabbitmq.start()
            if self._system_has(LISTENER):
                until(lambda: self._log_count(" INFO consuming ") >= consuming + 3, seconds=PATIENCE_S)
            until(lambda: self._system.proxy.consuming, seconds=PATIENCE_S)

        return end

    def _provider_fault(self, fault: Fault, provider: HTTP2Server) -> End:
        match fault:
            case Fault.APPLE_AWAY | Fault.FIREBASE_AWAY:
                provider.close()
                self._hold(provider.port)
                return provider.start
            case Fault.APPLE_ONE_STREAM | Fault.FIREBASE_ONE_STREAM:
                provider.limit_streams(1)
                return lambda: provider.limit_streams(_USUAL_STREAMS[type(provider).__name__])
            case Fault.APPLE_GOES_AWAY:
                provider.go_away(GoAway(reason="Shutdown"))
            case _:
                provider.disconnect()
        return _nothing

    def _listener_fault(self, fault: Fault) -> End:
        if fault is Fault.SECOND_LISTENER:
            self._system.start_listener(SECOND)
            return lambda: self._stop(SECOND, signal.SIGKILL)
        self._stop(LISTENER, signal.SIGKILL if fault is Fault.LISTENER_KILLED else signal.SIGTERM)
        return lambda: self._system.start_listener(LISTENER)

    def _worker_fault(self, fault: Fault) -> End:
        names = WORKERS if fault is Fault.BOTH_WORKERS_KILLED else WORKERS[len(self.records) % 2 :][:1]
        for name in names:
            self._stop(name, signal.SIGTERM if fault is Fault.WORKER_RESTARTED else signal.SIGKILL)

        def end() -> None:
            for name in names:
                self._system.start_worker(name)

        return end

    def _stop(self, name: str, number: signal.Signals) -> None:
        status = self._system.stop(name, number)
        if status != (0 if number is signal.SIGTERM else -number):
            self.ended.append(f"{name} ended with {status} upon {number.name}")

    def _hold(self, port: int) -> None:
        """Keep a port that nobody listens on, so that no outgoing connection gets it meanwhile."""
        if port not in self._holders:
            holder = self._holders[port] = socket.socket()
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", port))

    def _log_count(self, text: str) -> int:
        return self._system.log(LISTENER).count(text)

    def _system_has(self, name: str) -> bool:
        return name in self._system.running


def _nothing() -> None:
    """Nothing is to be repaired."""


def _entered(fault: "ExitStack | object") -> End:
    stack = ExitStack()
    stack.enter_context(fault)  # type: ignore[arg-type]
    return stack.close
