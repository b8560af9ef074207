"""The soak's world: private servers, two workers, a listener, providers and phones; and one round after the other."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pusher.bus.dead_letters import DeadLetters
from pusher.bus.topology import DEAD
from pusher.registration.device import Device
from pusher.simulators.proxy import ProxySimulator
from pusher.simulators.stage import AppKind, Stage
from tests.acceptance.system import System
from tests.integration.bus.broker import channel_to
from tests.soak import gather
from tests.soak.complaints import Complaints
from tests.soak.driver import Driver, document_of, msg_id_in
from tests.soak.faults import LISTENER, WORKERS, Faults
from tests.soak.pace import Pace
from tests.soak.plan import Plan
from tests.soak.publisher import WatchedPublisher
from tests.soak.record import Letter, Record
from tests.support.couchdb import CouchDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer
from tests.support.until import until

#: Seconds that a call's phone has to register.
WINDOW_S = 7.0
#: Seconds in which all that was begun must have come to its end: device tasks are tried again after 1, 2, 4 ... s.
SETTLE_S = 120.0
#: Seconds that a process may take to start or to stop.
PATIENCE_S = 120.0
PROGRESS_EVERY_S = 10.0


class World:
    """Everything runs; `round` plays a plan and tells what happened."""

    def __init__(
        self,
        folder: Path,
        bus_url: str,
        *,
        rabbitmq: RabbitMQ,
        redis: RedisServer,
        couchdb: CouchDB,
        stage: Stage,
        window_s: float,
    ) -> None:
        self._window_s = window_s
        self._rabbitmq = rabbitmq
        self._couchdb = couchdb
        self._bus_url = bus_url
        self._stage = stage
        self._publisher = stage.publisher = WatchedPublisher(bus_url)
        self._system = System(folder, bus_url, redis.url, stage, window_s, couchdb.url)
        # Processes start while RabbitMQ restarts, and all of it on two cores.
        self._system.patience_s = PATIENCE_S
        self._system.proxy = ProxySimulator(bus_url, publisher=self._publisher)
        self._logs = gather.Logs(folder)
        self._complaints = Complaints()
        self._pause = threading.Event()
        #: Queues that did not get empty.
        self._left: list[str] = []
        self._faults = Faults(self._system, rabbitmq, redis, couchdb)
        self._driver = Driver(stage, self._system.proxy, self._publisher)

    def start(self) -> None:
        """Start the processes, and have every phone known to Kazoo."""
        self._couchdb.create(self._database)
        for phone in self._driver.phones:
            self._couchdb.put(self._database, document_of(phone.handset))
        with ThreadPoolExecutor() as together:
            starts = [together.submit(self._system.start_worker, name) for name in WORKERS]
            starts.append(together.submit(self._system.start_listener, LISTENER))
            for start in starts:
                start.result()
        self._system.proxy.start()
        self._driver.register_all()
        self._settle()
        for kind in AppKind:
            # Settings are read and connections made.
            call = self._system.proxy.call(token="0" * 64, token_type=kind.token_type, app_id=kind)
            assert call.answer(10.0), f"a first call of {kind} was not answered"

    def close(self) -> None:
        """Stop all that runs."""
        self._driver.stop()
        self._faults.close()
        self._system.close()
        self._complaints.close()

    def round(self, plan: Plan, say: Callable[[str], None]) -> Record:
        """Play `plan`, let it settle, and return what happened."""
        pace = Pace()
        driving = threading.Thread(target=self._driver.run, args=(plan.steps, pace), name="driver")
        driving.start()
        try:
            self._faults.play(plan.strikes, pace, plan.seconds, _every(PROGRESS_EVERY_S, lambda: say(self._progress())))
        finally:
            if sys.exc_info()[0] is not None:
                self._driver.stop()
            driving.join()
        self._settle()
        record = self._record()
        self._driver.forget()
        self._stage.apns.forget()
        self._stage.fcm.forget()
        return record

    def _progress(self) -> str:
        placed = self._driver.placed
        answered = sum(bool(each.call.answers) for each in placed)
        accepted = len(self._stage.apns.accepted) + len(self._stage.fcm.accepted)
        return f"{len(placed)} calls, {accepted} accepted, {answered} answered, {len(self._faults.records)} faults"

    def _settle(self) -> None:
        """Return when no call waits and no message is in any queue or hand; what stays for too long is kept as left."""
        over = max((each.call.requested_at for each in self._driver.placed), default=0.0) + self._window_s + 2.0
        until(lambda: time.monotonic() > over, seconds=3 * self._window_s + 10.0)
        patience = time.monotonic() + SETTLE_S
        # Not as often as `until` would ask: the broker has other things to do.
        while (left := self._messages()) and time.monotonic() < patience:
            self._pause.wait(0.25)
        self._left += left

    def _messages(self) -> list[str]:
        """Return which queues hold how many messages, those in somebody's hands included."""
        vhost = self._bus_url.rpartition("/")[2]
        found = self._rabbitmq.eval(
            "[{element(4, amqqueue:get_name(Q)), rabbit_amqqueue:info(Q, [messages_ready, messages_unacknowledged, "
            f'consumers])}} || Q <- rabbit_amqqueue:list(<<"{vhost}">>), element(4, amqqueue:get_name(Q)) =/= '
            f'<<"{DEAD.name}">>, rabbit_amqqueue:info(Q, [messages]) =/= [{{messages, 0}}]]',
            seconds=30.0,
        )
        return [] if found == "[]" else [found]

    def _record(self) -> Record:
        by_call, errors = self._logs.read()
        made = gather.pushes(self._driver, self._stage, self._publisher, by_call)
        devices = gather.devices(self._driver, self._publisher, self._documents(), made)
        letters = self._letters()
        self._driver.register_all()
        self._settle()
        later = gather.devices(self._driver, self._publisher, self._documents(), made)
        faults, self._faults.records = tuple(self._faults.records), []
        ended, self._faults.ended = tuple(self._faults.ended), []
        left, self._left = tuple(self._left), []
        return Record(
            window_s=self._window_s,
            faults=faults,
            pushes=made,
            devices=devices,
            devices_later=later,
            letters=letters,
            errors=(*errors, *self._complaints.taken()),
            ended=ended,
            left=left,
            violations=tuple(map(str, (*self._stage.apns.violations, *self._stage.fcm.violations))),
        )

    @property
    def _database(self) -> str:
        first = self._driver.phones[0].handset
        return Device(account_id=first.account_id, device_id=first.device_id).database

    def _documents(self) -> dict[str, str | None]:
        """Return the Token-ID in each device's document."""
        found: dict[str, str | None] = {}
        for phone in self._driver.phones:
            document = self._couchdb.get(self._database, phone.handset.device_id)
            found[phone.handset.device_id] = document.get("push", {}).get("Token-ID")
        return found

    def _letters(self) -> tuple[Letter, ...]:
        """Take what is in `pusher.dead`."""
        letters = DeadLetters(self._bus_url, self._publisher).read()
        with channel_to(self._bus_url) as channel:
            channel.queue_purge(DEAD.name)
        return tuple(
            Letter(
                reason=each.reason,
                problem=each.problem,
                msg_id=msg_id_in(each.body),
                meant=each.body in self._driver.malformed,
            )
            for each in letters
        )


def _every(seconds: float, do: Callable[[], None]) -> Callable[[], None]:
    """Return what calls `do` when `seconds` have passed since it did so last."""
    due = time.monotonic() + seconds

    def tick() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due += seconds
            do()

    return tick


@contextmanager
def running_world(
    folder: Path, rabbitmq: RabbitMQ, redis: RedisServer, couchdb: CouchDB, *, window_s: float = WINDOW_S
) -> Iterator[World]:
    """Yield a world on servers that run and are empty."""
    with rabbitmq.vhost() as bus_url, Stage(folder / "stage", bus_url) as stage:
        (folder / "system").mkdir()
        world = World(
            folder / "system",
            bus_url,
            rabbitmq=rabbitmq,
            redis=redis,
            couchdb=couchdb,
            stage=stage,
            window_s=window_s,
        )
        try:
            world.start()
            yield world
        finally:
            world.close()


@contextmanager
def own_world(folder: Path) -> Iterator[World]:
    """Yield a world with servers of its own, and logs in `folder`."""
    with ExitStack() as servers:
        rabbitmq, redis, couchdb = RabbitMQ(), RedisServer(), CouchDB()
        for server in (rabbitmq, redis, couchdb):
            servers.callback(server.close)
            server.start()
        with running_world(folder, rabbitmq, redis, couchdb) as world:
            yield world
