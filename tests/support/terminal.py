"""A shell that somebody types a page's commands into, one after the other, and the commands of a page."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.child import start
from tests.support.until import until

_BLOCK = re.compile(
    r"(?:^<!-- terminal: (?P<terminal>\w+) -->\n\n)?^```sh\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command as it stands in a page."""

    #: The command, its continued lines joined.
    command: str
    #: Where it goes on running; None where it comes to an end.
    terminal: str | None


def commands(page: str, heading: str) -> Iterator[Typed]:
    """Yield the commands of the section below `heading`, such as `## Check`, in order."""
    assert page.count(f"\n{heading}\n") == 1, heading
    section = page.split(f"\n{heading}\n")[1].split("\n## ", maxsplit=1)[0]
    for block in _BLOCK.finditer(section):
        for line in block["code"].replace("\\\n", " ").splitlines():
            yield Typed(command=line, terminal=block["terminal"])


class Terminal:
    """A shell with an environment of its own; what its commands print lands in one file."""

    def __init__(self, folder: Path, name: str, environment: Mapping[str, str]) -> None:
        self._log = folder / f"terminal-{name}.log"
        self._typed = 0
        self._shell = start(["bash", "--noprofile", "--norc"], log=self._log, env=environment, stdin=subprocess.PIPE)
        self.type(f"cd '{folder}'")

    @property
    def output(self) -> str:
        """Everything that was printed so far."""
        return self._log.read_text(errors="replace")

    def type(self, command: str) -> None:
        """Type `command` and leave it running."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{command}\n".encode())
        self._shell.stdin.flush()

    def run(self, command: str, *, seconds: float = 30.0) -> tuple[int, str]:
        """Type `command` and return its exit status and what it printed, once it has ended."""
        self._typed += 1
        before, mark = len(self.output), f"@@ended {self._typed}"
        self.type(f"{command}\necho '{mark}' $?")
        until(lambda: f"{mark} " in self.output[before:], seconds=seconds)
        printed, _, status = self.output[before:].rpartition(f"{mark} ")
        return int(status), printed

    def close(self) -> None:
        """Stop what runs, as a service manager does, and end the shell when that has ended."""
        children = Path(f"/proc/{self._shell.pid}/task/{self._shell.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGTERM)
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(30)
