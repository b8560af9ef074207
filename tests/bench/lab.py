"""The machine under the benchmarks: private servers on one side of the cores, what is measured on the other.

What is measured has the first core for itself, so that figures are per core; servers, the provider and whoever makes
the load share the others. Each process' CPU time is read from the kernel, to show that no server was the bottleneck.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import redis

from pusher.documents.sqlite import SQLiteDocuments
from pusher.simulators.authority import Authority
from tests.support.child import end, start, tail
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer
from tests.support.until import until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
#: The core of what is measured, and those of everything else.
OURS, THEIRS = {min(os.sched_getaffinity(0))}, os.sched_getaffinity(0) - {min(os.sched_getaffinity(0))}
_TICKS = os.sysconf("SC_CLK_TCK")
TOPIC = "com.example.app{}.voip"
#: Seconds that a process has to start, and a queue to be worked off.
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process and its children have used."""

    cpu_s: float
    rss_kib: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """Look at process `pid`."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = sum(int(field) for field in fields[11:15])
        status = Path(f"/proc/{pid}/status").read_text()
        rss = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return cls(cpu_s=ticks / _TICKS, rss_kib=int(rss.split()[1]), threads=int(fields[17]))


class Process:
    """One of ours, whose output lands in a file."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def usage(self) -> Usage:
        """What it has used so far."""
        assert self._process.poll() is None, f"{self.name} ended: {tail(self.log)}"
        return Usage.of(self._process.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stop(self) -> None:
        """End it."""
        end(self._process)


class Provider:
    """`tests.bench.provider` in a process of its own."""

    def __init__(self, certificate: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.provider", certificate, "0"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()
        self.port: int = self._answer()["port"]

    def tell(self, command: str) -> Any:
        """Give it a command and return its answer; see `provider.obey`."""
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
            return self._answer()

    @property
    def usage(self) -> Usage:
        """What it has used so far."""
        return Usage.of(self._process.pid)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class Lab:
    """Servers that run, and processes to be started beside them. Use it as a context manager."""

    def __init__(self, *, quick: bool) -> None:
        #: A tenth of the work: to see that a benchmark runs, not for its figures.
        self.quick = quick
        self._temporary = tempfile.TemporaryDirectory(prefix="pusher-bench-")
        self.folder = Path(self._temporary.name)
        self.authority = Authority(self.folder)
        self.rabbitmq = RabbitMQ()
        self.redis = RedisServer()
        self._running: list[Process] = []

    def __enter__(self) -> Self:
        if not THEIRS:
            raise SystemExit("The benchmarks need two cores: one for what is measured, one for the servers.")
        os.sched_setaffinity(0, THEIRS)
        self.rabbitmq.start()
        self.redis.start()
        self.provider = Provider(str(self.authority.server_file))
        # Four million keys are not thrown away in the usual five seconds.
        self.redis_client = redis.Redis.from_url(self.redis.url, socket_timeout=PATIENCE_S)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop_all()
        self.redis_client.close()
        self.provider.close()
        self.redis.close()
        self.rabbitmq.close()
        self._temporary.cleanup()

    @contextmanager
    def fresh(self, *, apps: int = 1) -> Iterator["Site"]:
        """Yield an empty site: a virtual host, an empty Redis, documents with `apps` apps; all gone afterwards."""
        self.redis_client.flushall()
        self.provider.tell("delay_ms 0")
        with self.rabbitmq.vhost() as url:
            try:
                yield Site(self, url, apps)
            finally:
                self.stop_all()

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run module `arguments[0]` on our core to its end and return the JSON line that it printed last."""
        done = subprocess.run(
            ["taskset", "-c", _cores(OURS), sys.executable, "-m", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def start(self, name: str, command: Sequence[str], environment: dict[str, str], cores: set[int]) -> Process:
        """Start `command` on `cores`."""
        log = self.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        process = Process(name, start(["taskset", "-c", _cores(cores), *command], env=environment, log=log), log)
        self._running.append(process)
        return process

    def stop_all(self) -> None:
        """End what `start` started and still runs."""
        for process in self._running:
            process.stop()
        self._running.clear()

    @property
    def servers_cpu_s(self) -> dict[str, float]:
        """CPU seconds that each server has used so far."""
        return {
            "RabbitMQ": Usage.of(self.rabbitmq.pid).cpu_s,
            "Redis": Usage.of(self.redis.pid).cpu_s,
            "provider": self.provider.usage.cpu_s,
        }


class Site:
    """One installation of Pusher: the environment that its processes share."""

    def __init__(self, lab: Lab, bus_url: str, apps: int) -> None:
        self.lab = lab
        self.bus_url = bus_url
        self.documents_url = f"sqlite:///{lab.folder}/pusher-{time.monotonic_ns()}.db"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PUSHER_")},
            "PYTHONPATH": str(ROOT),
            "PUSHER_BUS_URL": bus_url,
            "PUSHER_REDIS_URL": lab.redis.url,
            "PUSHER_DOCUMENTS_URL": self.documents_url,
            "PUSHER_CA_FILE": str(lab.authority.ca_file),
            # Queued work must not die of age while a benchmark prepares it.
            "PUSHER_WAKE_WINDOW_S": "600",
        }
        documents = SQLiteDocuments.from_url(self.documents_url)
        documents.save("system_config", self._pusher_document(apps))
        documents.close()

    def start_listener(self) -> Process:
        """Start `pusher listen` on our core, and return when it consumes."""
        process = self._start("listener", [str(BIN / "pusher"), "listen"])
        until(lambda: process.log.read_text().count(" INFO consuming ") == 3, seconds=PATIENCE_S, what="listener")
        return process

    def start_worker(
        self, *, app: str = "tasks.app", threads: int = 100, queues: str = "push.apple", cores: set[int] | None = None
    ) -> Process:
        """Start a Celery worker, on our core unless told otherwise, and return when it takes tasks."""
        name = f"worker-{time.monotonic_ns()}"
        command = [str(BIN / "celery"), "-A", app, "worker", "-P", "threads", "-c", str(threads), "-n", name]
        process = self._start(name, [*command, "-Q", queues], cores)
        until(lambda: " ready." in process.log.read_text(), seconds=PATIENCE_S, what="worker")
        return process

    def start_module(self, *arguments: str) -> Process:
        """Start `python -m` one of the floors on our core, and return when it said `ready`."""
        process = self._start(arguments[0], [sys.executable, "-m", *arguments])
        until(lambda: "ready" in process.log.read_text(), seconds=PATIENCE_S, what=arguments[0])
        return process

    def _start(self, name: str, command: Sequence[str], cores: set[int] | None = None) -> Process:
        return self.lab.start(name, command, self.environment, OURS if cores is None else cores)

    def _pusher_document(self, apps: int) -> dict[str, Any]:
        rule = {
            "regex": "^ExamplePhone",
            "properties": {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"},
        }
        document: dict[str, Any] = {"_id": "pusher", "default": {"User-Agents": {"ExamplePhone": rule}}}
        for number in range(apps):
            key = self.lab.authority.auth_key(f"KEY{number:07d}", "TEAM123456")
            settings = {"key_id": key.key_id, "team_id": key.team_id, "private_key": key.pem}
            host = f"127.0.0.1:{self.lab.provider.port}"
            document[app_id(number)] = {"apple": {"token_key": settings, "host": host}}
        return document


def app_id(number: int) -> str:
    """Return the id of the site's app with `number`."""
    return TOPIC.format(number)


def _cores(cores: set[int]) -> str:
    return ",".join(map(str, sorted(cores)))
