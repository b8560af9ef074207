"""A real Kamailio of our own, for tests: one UDP port on loopback, no daemon, its log at hand."""

import re
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.child import end, find, start, tail
from tests.support.until import until

_OPTIONS = (
    "OPTIONS sip:127.0.0.1:{to} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{mine};branch=z9hG4bK-ready;rport\r\n"
    "From: <sip:test@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 1\r\nContent-Length: 0\r\n\r\n"
)
#: How it marks what an operator should look at.
COMPLAINT = re.compile(r" (WARNING|ERROR|CRITICAL|ALERT|BUG): ")


def check(configuration: Path) -> str:
    """Have Kamailio check `configuration`, and return what it says. Fails where it refuses it."""
    command = [find("kamailio", "kamailio"), "-c", "-f", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


class Kamailio:
    """One process tree, ended by the pid of its first."""

    def __init__(self, folder: Path, lines: Sequence[str], *, ready: Callable[[], bool]) -> None:
        """`lines` are its configuration, in which `LAB_PORT` is its port; `ready` tells that its other ends are up."""
        self._binary = find("kamailio", "kamailio")
        self._folder = folder
        self._ready = ready
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            #: Host and port it listens on.
            self.address: tuple[str, int] = probe.getsockname()
        self.configuration = folder / "kamailio.cfg"
        port = f'#!substdef "!LAB_PORT!{self.address[1]}!g"'
        self.configuration.write_text("\n".join(["#!KAMAILIO", port, *lines, ""]))
        self._log = folder / "kamailio.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    def start(self) -> None:
        """Start it, and return when it takes SIP and its other ends are up."""
        memory = ["-m", "64", "-M", "16"]
        command = [self._binary, "-DD", "-E", *memory, "-Y", str(self._folder), "-f", str(self.configuration)]
        self._process = start(command, log=self._log)
        until(self._answers, seconds=30, what="Kamailio answers OPTIONS")
        until(self._ready, seconds=30, what="Kamailio is on the bus")

    def close(self) -> None:
        """Stop it."""
        if self._process is not None:
            end(self._process)
            self._process = None

    @property
    def log(self) -> str:
        """All that it has said."""
        return tail(self._log, 1_000_000)

    def complaints(self) -> list[str]:
        """Return the warnings and errors that it has logged since this was last asked."""
        lines = self.log.splitlines()
        new, self._read = lines[self._read :], len(lines)
        return [line for line in new if COMPLAINT.search(line)]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Kamailio ended: {tail(self._log)}"
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect(self.address)
            client.send(_OPTIONS.format(to=self.address[1], mine=client.getsockname()[1]).encode())
            try:
                return client.recv(4096).startswith(b"SIP/2.0 200")
            except OSError:
                return False
