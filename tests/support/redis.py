"""A real Redis of our own, for tests: loopback only, nothing on disk, stopped and started again at will."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from pusher.simulators.authority import Authority
from tests.support.child import end, find, port_of, reserve_port, start, tail
from tests.support.until import until


class RedisServer:
    """One redis-server; a restart keeps the port and loses the data."""

    def __init__(self) -> None:
        self._binary = find("redis-server", "redis-server")
        self._folder = tempfile.TemporaryDirectory(prefix="pusher-redis-")
        self._log = Path(self._folder.name, "redis.log")
        self._holder, self._tls_holder = reserve_port(), reserve_port()
        #: Signed the certificate of the TLS port.
        self.authority = Authority(Path(self._folder.name, "authority"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return port_of(self._holder)

    @property
    def pid(self) -> int:
        """The process, while it runs."""
        assert self._process is not None, "redis-server is stopped"
        return self._process.pid

    @property
    def url(self) -> str:
        """The URL for `PUSHER_REDIS_URL`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def tls_url(self, host: str = "127.0.0.1") -> str:
        """Return the URL over TLS."""
        return f"rediss://{host}:{port_of(self._tls_holder)}/0"

    @contextmanager
    def presenting(self, pem_file: Path) -> Iterator[None]:
        """Have the TLS port present the certificate in `pem_file`, with its key, meanwhile."""
        self._present(pem_file)
        try:
            yield
        finally:
            self._present(self.authority.server_file)

    def _present(self, pem_file: Path) -> None:
        with redis.Redis(port=self.port) as client:
            client.config_set("tls-cert-file", str(pem_file), "tls-key-file", str(pem_file))

    @property
    def unix_socket(self) -> Path:
        """The Unix socket it listens on as well."""
        return Path(self._folder.name, "redis.sock")

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        listen = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.unix_socket)]
        keep_nothing = ["--save", "", "--appendonly", "no", "--dir", self._folder.name]
        pem_file = str(self.authority.server_file)
        tls = ["--tls-port", str(port_of(self._tls_holder)), "--tls-auth-clients", "no"]
        tls += ["--tls-cert-file", pem_file, "--tls-key-file", pem_file]
        tls += ["--tls-ca-cert-file", str(self.authority.ca_file)]
        self._process = start([self._binary, *listen, *tls, *keep_nothing], log=self._log)
        until(self._answers, what="redis-server answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"redis-server ended: {tail(self._log)}"
        with redis.Redis(port=self.port) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def stop(self, *, kill: bool = False) -> None:
        """Stop it, with SIGKILL if `kill`; connections break, new ones are refused."""
        if self._process is not None:
            end(self._process, kill=kill)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have it hang meanwhile: connections are taken, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def flush(self) -> None:
        """Drop all data."""
        with redis.Redis(port=self.port) as client:
            client.flushall()

    def close(self) -> None:
        """Stop it for good."""
        self.stop(kill=True)
        self._holder.close()
        self._tls_holder.close()
        self._folder.cleanup()
