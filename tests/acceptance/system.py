"""The real processes: `pusher listen` and a Celery worker, on private servers, with simulated providers and phones."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pusher.bus.tls import TLS
from pusher.documents.couchdb import CouchDBDocuments
from pusher.documents.sqlite import SQLiteDocuments
from pusher.simulators.handset import HandsetSimulator
from pusher.simulators.proxy import Call, ProxySimulator
from pusher.simulators.stage import Stage
from tests.support.couchdb import create_database
from tests.support.until import until

BIN = Path(sys.executable).parent
#: Seconds a process has to start or to stop.
PATIENCE_S = 30.0


class System:
    """Starts and stops Pusher's processes; everything they print lands in one file each."""

    def __init__(
        self,
        folder: Path,
        bus_url: str,
        redis_url: str,
        stage: Stage,
        wake_window_s: float,
        documents_url: str | None = None,
        authorities: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        ca_file = str(_bundle(folder / "ca.pem", (stage.authority.ca_file, *authorities)))
        self.bus_url = bus_url
        self.stage = stage
        self.documents_url = f"sqlite:///{folder}/pusher.db" if documents_url is None else documents_url
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PUSHER_")},
            "PUSHER_BUS_URL": bus_url,
            "PUSHER_REDIS_URL": redis_url,
            "PUSHER_DOCUMENTS_URL": self.documents_url,
            "PUSHER_CA_FILE": ca_file,
            "PUSHER_WAKE_WINDOW_S": str(wake_window_s),
            **({} if environment is None else environment),
        }
        self.patience_s = PATIENCE_S
        self.proxy = ProxySimulator(bus_url, tls=TLS.of(bus_url, ca_file))
        self._running: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        self.documents: CouchDBDocuments | SQLiteDocuments
        if documents_url is None:
            self.documents = SQLiteDocuments.from_url(self.documents_url)
        else:
            create_database(documents_url, "system_config", ca_file=ca_file)
            self.documents = CouchDBDocuments.from_url(documents_url, ca_file=ca_file)
        self.documents.save("system_config", stage.pusher_document())

    def start(self) -> None:
        """Start listener, worker and proxy, and return when calls can be answered."""
        self.start_listener()
        self.start_worker()
        self.proxy.start()

    def start_listener(self, name: str = "listener", *, until_logged: tuple[str, int] | None = None) -> None:
        """Start `pusher listen` and wait until it consumes all three queues, or has logged something else so often."""
        json = self.environment.get("PUSHER_LOG_FORMAT") == "json"
        consuming = '"event": "consuming"' if json else " INFO consuming "
        self._start(name, "pusher", "listen", until_logged=until_logged or (consuming, 3))

    def start_flower(self) -> None:
        """Start Flower and wait until it reads the workers' events."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        arguments = ("-A", "tasks.app", "flower", "--address=127.0.0.1", f"--port={port}")
        self._start("flower", "celery", *arguments, until_logged=("Connected to ", 1))

    def start_worker(
        self,
        name: str = "worker",
        *,
        queues: str = "push.apple,push.firebase,devices",
        until_logged: tuple[str, int] = (" ready.", 1),
    ) -> None:
        """Start a Celery worker and wait until it takes tasks, or has logged something else so often."""
        arguments = ("-A", "tasks.app", "worker", "-P", "threads", "-c", "100", "-n", f"{name}@%h", "-Q", queues)
        self._start(name, "celery", *arguments, until_logged=until_logged)

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        """End process `name` with a signal and return its exit status."""
        process, output = self._running.pop(name)
        process.send_signal(number)
        status = process.wait(self.patience_s)
        output.close()
        return status

    def signal(self, name: str, number: int) -> None:
        """Send process `name` a signal that need not end it."""
        self._running[name][0].send_signal(number)

    def close(self) -> None:
        """Stop everything that runs."""
        self.proxy.close()
        self.stop_processes()
        self.documents.close()

    def stop_processes(self) -> None:
        """End whatever runs of listener, worker and Flower."""
        for name in list(self._running):
            self.stop(name)

    @property
    def running(self) -> list[str]:
        """The names of the processes that were started and not stopped."""
        return list(self._running)

    @property
    def worker(self) -> str:
        """The name that Celery's commands know the worker by: whoever names it need not wait for others."""
        return f"worker@{socket.gethostname()}"

    def alive(self, name: str) -> bool:
        """Tell whether process `name` still runs."""
        return self._running[name][0].poll() is None

    def log(self, name: str, since: int = 0) -> str:
        """Return what process `name` printed since the system was made, or since its log had `since` bytes."""
        path = self.folder / f"{name}.log"
        if not path.exists():
            return ""
        with path.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def log_size(self, name: str) -> int:
        """Return how many bytes process `name` printed so far."""
        path = self.folder / f"{name}.log"
        return path.stat().st_size if path.exists() else 0

    def command_lines(self) -> list[str]:
        """Return what `ps` shows of the processes."""
        return [
            Path(f"/proc/{process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            for process, _ in self._running.values()
        ]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as an operator does."""
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def call(self, handset: HandsetSimulator, **extra: object) -> Call:
        """Have somebody call `handset`'s phone."""
        return self.proxy.call(token=handset.token, token_type=handset.token_type, app_id=handset.app_id, **extra)

    def _start(self, name: str, *command: str, until_logged: tuple[str, int]) -> None:
        text, times = until_logged
        before = self.log_size(name)
        output = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            env=self.environment,
            cwd=self.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        self._running[name] = process, output
        until(lambda: self.log(name, before).count(text) >= times, seconds=self.patience_s, what=f"{name} is ready")


def _bundle(path: Path, certificates: Sequence[Path]) -> Path:
    path.write_text("".join(each.read_text() for each in certificates))
    return path


@contextmanager
def running_system(
    folder: Path,
    bus_url: str,
    redis_url: str,
    *,
    wake_window_s: float = 20.0,
    documents_url: str | None = None,
    authorities: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Yield a system whose calls are answered, with its documents in SQLite or in the CouchDB at `documents_url`.

    `authorities` are the certificates of who signed for servers over TLS; `environment` adds to the settings.
    """
    tls = TLS.of(bus_url, str(_bundle(folder / "servers.pem", authorities))) if authorities else None
    with Stage(folder / "stage", bus_url, tls=tls) as stage:
        system = System(folder, bus_url, redis_url, stage, wake_window_s, documents_url, authorities, environment)
        try:
            system.start()
            yield system
        finally:
            system.close()
