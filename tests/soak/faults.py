"""Carries out the faults of a plan.

Servers are stopped and started by the main thread, because the kernel ends them with their starter; our own processes,
which may take seconds to stop, by threads.
"""

import heapq
import itertools
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from pusher.simulators.misbehaviour import GoAway
from pusher.simulators.server import HTTP2Server
from tests.acceptance.system import System
from tests.soak.pace import Pace
from tests.soak.plan import LASTS, Fault, Strike
from tests.soak.record import FaultRecord, Struck
from tests.support.couchdb import CouchDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer
from tests.support.until import until

WORKERS = ("worker-1", "worker-2")
LISTENER, SECOND = "listener-1", "listener-2"
_OF_LISTENERS = (Fault.LISTENER_KILLED, Fault.LISTENER_RESTARTED, Fault.SECOND_LISTENER)
_OF_PROCESSES = (*_OF_LISTENERS, Fault.WORKER_KILLED, Fault.WORKER_RESTARTED, Fault.BOTH_WORKERS_KILLED)
#: By what of theirs is struck.
_PROCESSES = {"workers": WORKERS, "listeners": (LISTENER,), "second listener": (SECOND,)}
#: Seconds after which what is still struck otherwise is looked at again.
AGAIN_S = 0.5
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
        self._closing = threading.Event()
        #: One process of a kind after the other, however long it takes to stop.
        self._locks = {target: threading.Lock() for target, _, _ in LASTS.values()}
        self._threads = ThreadPoolExecutor(max_workers=len(WORKERS) + 2, thread_name_prefix="fault")
        #: What is struck now, servers and providers only.
        self._struck: set[str] = set()
        self._under_way: list[Future[None]] = []
        self._holders: dict[int, socket.socket] = {}
        self.records: list[FaultRecord] = []
        #: Processes that ended by themselves, or badly.
        self.ended: list[str] = []

    def play(self, strikes: Sequence[Strike], pace: Pace, seconds: float, tick: Callable[[], None]) -> None:
        """Carry out `strikes` at `pace` for `seconds` seconds; `tick` is called every half second or so.

        All is repaired when it returns.
        """
        due: list[tuple[float, int, Callable[[], None]]] = []
        for strike in strikes:
            heapq.heappush(due, (strike.at, next(self._turn), lambda strike=strike: self._strike(strike, due, pace)))
        while due or pace.passed_s < seconds:
            tick()
            self._look()
            passed = pace.passed_s
            if due and due[0][0] <= passed:
                heapq.heappop(due)[2]()
            else:
                time.sleep(min(0.5, (due[0][0] if due else seconds) - passed) if (due or passed < seconds) else 0)

        for done in self._under_way:
            done.result()
        self._under_way.clear()

    def close(self) -> None:
        """Let go of what was held."""
        self._closing.set()
        self._threads.shutdown()
        for holder in self._holders.values():
            holder.close()

    def _look(self) -> None:
        """Start again whatever ended by itself, and note it; not while a fault has processes of that kind in hand."""
        for target, names in _PROCESSES.items():
            if self._locks[target].acquire(blocking=False):
                try:
                    self._revive([name for name in names if name in self._system.running])
                finally:
                    self._locks[target].release()

    def _revive(self, names: Sequence[str]) -> None:
        for name in names:
            if not self._system.alive(name):
                self.ended.append(f"{name} ended by itself with {self._system.stop(name)}")
                (self._system.start_worker if name in WORKERS else self._system.start_listener)(name)

    def _strike(self, strike: Strike, due: list[tuple[float, int, Callable[[], None]]], pace: Pace) -> None:
        if strike.fault in _OF_PROCESSES:
            self._under_way.append(self._threads.submit(self._strike_process, strike))
            return
        target = LASTS[strike.fault][0]
        if target in self._struck:
            # What began late on a busy machine ends late, and a server that is held cannot be struck otherwise.
            again = pace.passed_s + AGAIN_S
            heapq.heappush(due, (again, next(self._turn), lambda: self._strike(strike, due, pace)))
            return
        self._struck.add(target)
        since = time.time()
        struck, end = self._begin(strike.fault, pace)

        def repair() -> None:
            end()
            self._struck.discard(target)
            self.records.append(FaultRecord(kind=strike.fault, struck=struck, began=since, ended=time.time()))

        if strike.lasts_s:
            heapq.heappush(due, (pace.passed_s + strike.lasts_s, next(self._turn), repair))
        else:
            repair()

    def _strike_process(self, strike: Strike) -> None:
        with self._locks[LASTS[strike.fault][0]]:
            self._strike_alone(strike)

    def _strike_alone(self, strike: Strike) -> None:
        since = time.time()
        of_listener = strike.fault in _OF_LISTENERS
        end = self._listener_fault(strike.fault) if of_listener else self._worker_fault(strike.fault)
        self._closing.wait(strike.lasts_s)
        if strike.fault is Fault.SECOND_LISTENER:
            since = time.time()  # It strikes when it goes.
        end()
        workers = Struck.WORKERS if strike.fault is Fault.BOTH_WORKERS_KILLED else Struck.WORKER
        struck = Struck.LISTENER if of_listener else workers
        self.records.append(FaultRecord(kind=strike.fault, struck=struck, began=since, ended=time.time()))

    def _begin(self, fault: Fault, pace: Pace) -> tuple[Struck, End]:
        match fault:
            case Fault.REDIS_FLUSHED | Fault.REDIS_AWAY | Fault.REDIS_HANGS:
                return Struck.REDIS, self._redis_fault(fault)
            case Fault.DOCUMENTS_AWAY:
                return Struck.DOCUMENTS, _entered(self._couchdb.refusing())
            case Fault.DOCUMENTS_HANG:
                return Struck.DOCUMENTS, _entered(self._couchdb.paused())
            case Fault.BROKER_RESTARTED | Fault.BROKER_KILLED | Fault.CONNECTIONS_CLOSED:
                return Struck.BROKER, self._broker_fault(fault, pace)
            case Fault.APPLE_AWAY | Fault.APPLE_ONE_STREAM | Fault.APPLE_GOES_AWAY:
                return Struck.APPLE, self._provider_fault(fault, self._system.stage.apns)
            case Fault.FIREBASE_AWAY | Fault.FIREBASE_ONE_STREAM | Fault.FIREBASE_RESETS:
                return Struck.FIREBASE, self._provider_fault(fault, self._system.stage.fcm)
            case _:
                raise AssertionError(f"{fault} strikes a process")

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

    def _broker_fault(self, fault: Fault, pace: Pace) -> End:
        before = self._system.log_size(LISTENER)
        match fault:
            case Fault.BROKER_RESTARTED:
                self._rabbitmq.stop()
            case Fault.BROKER_KILLED:
                self._rabbitmq.kill()
            case _:
                self._rabbitmq.close_connections()

        def end() -> None:
            pace.stand()
            self._rabbitmq.start()
            pace.go()
            # Not where a fault has the listener away.
            if LISTENER in self._system.running:
                until(lambda: self._consuming(before), seconds=self._system.patience_s, what="the listener consumes")
            until(lambda: self._system.proxy.consuming, seconds=self._system.patience_s, what="the proxy consumes")

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

    def _consuming(self, since: int) -> bool:
        """Tell whether the listener consumes all three queues again, or has been taken away meanwhile."""
        log = self._system.log(LISTENER, since)
        return log.count(" INFO consuming ") >= 3 or LISTENER not in self._system.running


def _nothing() -> None:
    """Nothing is to be repaired."""


def _entered(fault: "ExitStack | object") -> End:
    stack = ExitStack()
    stack.enter_context(fault)  # type: ignore[arg-type]
    return stack.close
