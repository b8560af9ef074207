"""Private servers as child processes: found or the tests fail, on ports of their own, gone with the test run."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol, TypeVar


def find(binary: str, package: str, *folders: str) -> str:
    """Return the path of `binary`. Fails where Debian's `package` is not installed: a missing server is no skip."""
    path = shutil.which(binary, path=":".join((*folders, "/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin")))
    if path is None:
        raise AssertionError(f"{binary} is missing, the tests need it: apt-get install {package}")
    return path


def reserve_port() -> socket.socket:
    """Return a bound socket that keeps its loopback port for one server of ours, started now or again later.

    Linux lets the server listen there, because both sockets allow reuse and this one does not listen; it gives the
    port to no other process and no outgoing connection, not even while the server is down. Close it at the end.
    """
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    # Not before the bind: there it would let two test runs hold the same port.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holder


def port_of(holder: socket.socket) -> int:
    """Return the port that `holder` keeps."""
    port: int = holder.getsockname()[1]
    return port


def start(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command`; its output is appended to `log` unless `stdout` says otherwise.

    It has a session of its own, so that Ctrl-C in the terminal does not end it before its tests. When the thread
    that called this ends, killed or not, the kernel kills it: call this from the main thread.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [find("setpriv", "util-linux"), "--pdeathsig", "KILL", *command],
            env=env,
            stdin=stdin,
            stdout=output if stdout is None else stdout,
            stderr=output,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes], *, kill: bool = False) -> None:
    """End `process`, by SIGKILL where it does not go within ten seconds, or at once with `kill`."""
    if not kill:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            kill = True
    if kill:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


class Server(Protocol):
    """A private server."""

    def start(self) -> None:
        """Start it."""

    def close(self) -> None:
        """Stop it for good."""


S = TypeVar("S", bound=Server)


def serving(server: S) -> Iterator[S]:
    """Yield `server` running: the body of a fixture."""
    try:
        server.start()
        yield server
    finally:
        server.close()


def tail(log: Path, characters: int = 2000) -> str:
    """Return the end of `log`, for the message of a failed start."""
    return log.read_text(errors="replace")[-characters:] if log.exists() else ""
