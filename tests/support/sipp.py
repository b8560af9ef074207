"""sipp in FreeSWITCH's place: one call per process, and what its caller saw, and when."""

import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.support.child import end, find, start, tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A SIP response as the caller got it."""

    #: For example 180.
    status: int
    #: Method of the request that it answers.
    method: str
    #: Seconds since the INVITE was sent.
    after_s: float
    #: `time.monotonic()` seconds.
    at: float
    #: Lower-case names.
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a call."""

    #: All responses, in order.
    responses: tuple[Response, ...]

    @property
    def final(self) -> Response:
        """The final response to the INVITE."""
        return next(each for each in self.responses if each.method == "INVITE" and each.status >= 200)

    @property
    def status(self) -> int:
        """Its status."""
        return self.final.status

    @property
    def reason(self) -> str:
        """Its Reason header, empty where there is none."""
        return self.final.headers.get("reason", "")


class Call:
    """A call that has begun; `keys` fill the scenario's keywords, `pause_s` is how long its pauses are."""

    def __init__(
        self, folder: Path, scenario: str, proxy: tuple[str, int], keys: Mapping[str, str], *, pause_s: float
    ) -> None:
        folder.mkdir()
        xml = folder / "scenario.xml"
        xml.write_text(scenario)
        self._messages = folder / "messages.log"
        self._log = folder / "sipp.log"
        command = [find("sipp", "sip-tester"), f"{proxy[0]}:{proxy[1]}", "-sf", str(xml), "-nostdin"]
        command += f"-i 127.0.0.1 -p {_free_port()} -m 1 -d {int(pause_s * 1000)} -timeout 60s -timeout_error".split()
        # Kamailio's processes may send a 180 after the 200 that followed it.
        command += ["-default_behaviors", "all,-abortunexp"]
        command += ["-trace_msg", "-message_file", str(self._messages), "-trace_err", "-error_file", str(self._log)]
        for name, value in keys.items():
            command += ["-key", name, value]
        self._process = start(command, log=folder / "screen.log")

    def outcome(self, timeout_s: float = 40.0) -> Outcome:
        """Wait until the call is over, and return what the caller saw."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the call is not over:\n{tail(self._messages)}") from None
        assert status == 0, f"sipp: {status}\n{tail(self._log)}\n{tail(self._messages)}"
        return Outcome(responses=_responses(self._messages.read_text(errors="replace")))

    def close(self) -> None:
        """Give the call up, if it is not over."""
        if self._process.poll() is None:
            end(self._process, kill=True)


def _free_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _responses(log: str) -> tuple[Response, ...]:
    """Read sipp's message log: a line of dashes with the time, a line that says who sent, and the message."""
    to_monotonic = time.monotonic() - time.time()
    begun = None
    responses = []
    for entry in log.split("-" * 47 + " ")[1:]:
        stamp, kind, _, message = entry.split("\n", 3)
        at = datetime.fromisoformat(stamp.strip()).timestamp() + to_monotonic
        begun = at if begun is None else begun
        if "received" in kind:
            first, *lines = message.split("\n\n")[0].splitlines()
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            responses.append(
                Response(
                    status=int(first.split()[1]),
                    method=headers["cseq"].split()[1],
                    after_s=at - begun,
                    at=at,
                    headers=headers,
                )
            )
    return tuple(responses)
