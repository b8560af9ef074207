"""A real RabbitMQ of our own, for tests: loopback only, no daemon left behind, a fresh virtual host per test.

The broker keeps an Erlang shell on its standard input: what takes `rabbitmqctl` a second takes milliseconds here.
"""

import itertools
import os
import secrets
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pusher.simulators.authority import Authority
from tests.support.child import end, find, port_of, reserve_port, start, tail

#: Erlang starts no epmd daemon itself, listens for other nodes on loopback only, and does not spin when idle.
_ERL_FLAGS = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
_BOOTED = "F = fun W() -> case rabbit_boot_state:get() of ready -> ok; _ -> timer:sleep(20), W() end end, F()"


class RabbitMQ:
    """One broker and its epmd; a restart keeps the port, the virtual hosts and what is durable."""

    def __init__(self) -> None:
        self._binary = find("rabbitmq-server", "rabbitmq-server", "/usr/lib/rabbitmq/bin")
        self._epmd_binary = find("epmd", "rabbitmq-server")
        self._temporary = tempfile.TemporaryDirectory(prefix="pusher-rabbitmq-")
        self._folder = Path(self._temporary.name)
        self._log = self._folder / "broker.log"
        self._holders = {name: reserve_port() for name in ("amqp", "amqps", "dist", "epmd")}
        #: Signed the certificate of the TLS port.
        self.authority = Authority(self._folder / "authority")
        self._env = self._write_configuration()
        self._numbers = itertools.count(1)
        self._answers: dict[str, str] = {}
        self._answered = threading.Condition()
        self._broker: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The AMQP port on 127.0.0.1."""
        return port_of(self._holders["amqp"])

    @property
    def pid(self) -> int:
        """The broker's process, while it runs."""
        assert self._broker is not None, "the broker is stopped"
        return self._broker.pid

    def url(self, vhost: str = "/") -> str:
        """Return the URL of `vhost`, for `PUSHER_BUS_URL`."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{vhost}"

    def tls_url(self, plain_url: str, host: str = "127.0.0.1") -> str:
        """Return the URL for the same virtual host as `plain_url`, over TLS."""
        return f"amqps://guest:guest@{host}:{port_of(self._holders['amqps'])}/{plain_url.rpartition('/')[2]}"

    @contextmanager
    def presenting(self, pem_file: Path) -> Iterator[None]:
        """Have the TLS port present the certificate in `pem_file`, with its key, meanwhile."""
        self._present(pem_file)
        try:
            yield
        finally:
            self._present(self.authority.server_file)

    def _present(self, pem_file: Path) -> None:
        (self._folder / "server.pem").write_bytes(pem_file.read_bytes())
        # The cache is cleared by a message, and asked for its state after that one.
        self.eval("ssl:clear_pem_cache(), sys:get_state(ssl_pem_cache), ok")

    def start(self) -> None:
        """Start it, unless it runs, and wait until it takes connections."""
        if self._broker is not None and self._broker.poll() is None:
            return
        if self._epmd is None:
            self._epmd = start([self._epmd_binary], env=self._env, log=self._log)
        self._broker = start(
            [self._binary], env=self._env, log=self._log, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, args=(self._broker,), name="rabbitmq-shell")
        self._reader.start()
        self.eval(_BOOTED, seconds=60)

    def stop(self) -> None:
        """Stop it the orderly way: connections are closed, messages in durable queues are kept."""
        if self._broker is not None:
            self.eval("rabbit:stop()", seconds=30)
        self.kill()

    def kill(self) -> None:
        """Stop it with SIGKILL."""
        if self._broker is None or self._reader is None:
            return
        self._broker.kill()
        self._reader.join()
        end(self._broker, kill=True)
        self._broker = None

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it for good, and its epmd."""
        self.kill()
        if self._epmd is not None:
            end(self._epmd, kill=True)
        for holder in self._holders.values():
            holder.close()
        self._temporary.cleanup()

    def eval(self, expression: str, *, seconds: float = 10.0) -> str:
        """Have the broker evaluate an Erlang expression, given without full stop; return the value as its text."""
        number = str(next(self._numbers))
        assert self._broker is not None, "the broker is stopped"
        assert self._broker.stdin is not None
        # The variables of the shell are forgotten first, for an expression may bind the same ones twice.
        line = f'f(), io:format("~n@@{number} ~0tp~n", [begin {expression} end]).\n'
        self._broker.stdin.write(line.encode())
        self._broker.stdin.flush()
        with self._answered:
            self._answered.wait_for(lambda: number in self._answers or not self._running, seconds)
            assert number in self._answers, f"RabbitMQ did not say {expression}: {tail(self._log)}"
            return self._answers.pop(number)

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """Yield the URL of a fresh virtual host, deleted afterwards with all in it; its connections are closed."""
        name = f"test-{next(self._numbers)}"
        every = '<<".*">>'
        self.eval(
            f'rabbit_vhost:add(<<"{name}">>, <<"tests">>), rabbit_auth_backend_internal:set_permissions('
            f'<<"guest">>, <<"{name}">>, {every}, {every}, {every}, <<"tests">>)'
        )
        try:
            yield self.url(name)
        finally:
            self.start()
            self.eval(f'rabbit_vhost:delete(<<"{name}">>, <<"tests">>)')

    @contextmanager
    def user(self, name: str, password: str, url: str) -> Iterator[None]:
        """Have a user `name` meanwhile, who may do everything in the virtual host of `url`."""
        every, vhost = '<<".*">>', url.rpartition("/")[2]
        self.eval(
            f'rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{password}">>, <<"tests">>), '
            f'rabbit_auth_backend_internal:set_permissions(<<"{name}">>, <<"{vhost}">>, {every}, {every}, {every}, '
            '<<"tests">>)'
        )
        try:
            yield
        finally:
            self.eval(f'rabbit_auth_backend_internal:delete_user(<<"{name}">>, <<"tests">>)')

    def close_connections(self) -> None:
        """Close every client's connection, as an operator would."""
        self.eval('rabbit_networking:close_all_connections("by a test")')

    @property
    def _running(self) -> bool:
        return self._reader is not None and self._reader.is_alive()

    def _read(self, broker: subprocess.Popen[bytes]) -> None:
        assert broker.stdout is not None
        with self._log.open("ab") as log:
            for line in broker.stdout:
                log.write(line)
                log.flush()
                if line.startswith(b"@@"):
                    number, _, value = line[2:].decode().strip().partition(" ")
                    with self._answered:
                        self._answers[number] = value
                        self._answered.notify_all()
        with self._answered:
            self._answered.notify_all()

    def _write_configuration(self) -> dict[str, str]:
        folder = self._folder
        ports = {name: str(port_of(holder)) for name, holder in self._holders.items()}
        (folder / "home").mkdir()
        (folder / "plugins").write_text("[].\n")
        pem_file = folder / "server.pem"
        pem_file.write_bytes(self.authority.server_file.read_bytes())
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{ports['amqp']}\nlisteners.ssl.1 = 127.0.0.1:{ports['amqps']}\n"
            f"ssl_options.cacertfile = {self.authority.ca_file}\n"
            f"ssl_options.certfile = {pem_file}\nssl_options.keyfile = {pem_file}\n"
            "log.file.level = info\nlog.console = false\n"
        )
        return {
            "PATH": f"{os.path.dirname(self._epmd_binary)}:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            # The Erlang cookie is made here, private to this broker.
            "HOME": str(folder / "home"),
            "ERL_AFLAGS": _ERL_FLAGS,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": ports["epmd"],
            # Keeps standard input open as a shell, and lets the script become the broker: one pid.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_NODENAME": f"pusher-{secrets.token_hex(4)}@localhost",
            "RABBITMQ_NODE_PORT": ports["amqp"],
            "RABBITMQ_DIST_PORT": ports["dist"],
            "RABBITMQ_CONF_ENV_FILE": str(folder / "absent"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
        }
