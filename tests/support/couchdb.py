"""A server with CouchDB's API of our own, for tests: PouchDB in memory, loopback only, faults on request.

Where it differs from CouchDB, as measured: ETag is no revision and If-Match does not count; a document's `_id` and
`_rev` come last; numbers are JavaScript's (1.0 comes back as 1, integers beyond 2**53 lose digits) and so is the order
of keys (those that look like integers come first); equal documents get equal revisions; names of databases are not
checked. What depends on these is tested with answers of our own, see `answer`.
"""

import base64
import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests

from pusher.simulators.authority import Authority
from tests.support.child import end, find, port_of, reserve_port, start, tail
from tests.support.until import until

FOLDER = Path(__file__).with_name("couchdb")
USER, PASSWORD = "pusher", "p@ss/wörd:#?"


def path_of(database: str, doc_id: str | None = None) -> str:
    """Return the path of a database or document, slashes in names as %2F."""
    return "/" + "/".join(quote(name, safe="") for name in (database, doc_id) if name is not None)


def administrator(url: str) -> requests.Session:
    """Return a session that logs in with the user and password in `url`, none else."""
    parts = urlsplit(url)
    session = requests.Session()
    session.trust_env = False
    # As bytes: requests would write texts in Latin-1.
    session.auth = unquote(parts.username or "").encode(), unquote(parts.password or "").encode()
    return session


def create_database(url: str, database: str, *, ca_file: str | None = None) -> None:
    """Make `database` on the CouchDB at `url`, which names a user and a password, unless it is there."""
    with administrator(url) as session:
        session.verify = True if ca_file is None else ca_file
        answer = session.put(
            url.replace(urlsplit(url).netloc.rpartition("@")[0] + "@", "") + path_of(database), timeout=30
        )
    assert answer.status_code in (201, 412), answer.text


class CouchDB:
    """One server on an http and an https port; a restart keeps the ports and loses the data."""

    def __init__(self) -> None:
        self._binary = find("node", "nodejs")
        assert (FOLDER / "node_modules").is_dir(), "the CouchDB API server is not installed, run: bash scripts/servers"
        self._folder = tempfile.TemporaryDirectory(prefix="pusher-couchdb-")
        self._log = Path(self._folder.name, "couchdb.log")
        self._holders = [reserve_port() for _ in range(3)]
        self._process: subprocess.Popen[bytes] | None = None
        self._session = administrator(self.url)
        #: Signed the certificate of the https port.
        self.authority = Authority(Path(self._folder.name, "authority"))

    @property
    def port(self) -> int:
        """The http port on 127.0.0.1."""
        return port_of(self._holders[0])

    @property
    def url(self) -> str:
        """The URL for `PUSHER_DOCUMENTS_URL`, with user and password."""
        return f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """The same over TLS, for who trusts `authority`."""
        return f"https://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port_of(self._holders[1])}"

    @contextmanager
    def presenting(self, pem_file: Path) -> Iterator[None]:
        """Have the https port present the certificate in `pem_file`, with its key, meanwhile."""
        self.command("present", pem=pem_file.read_text())
        try:
            yield
        finally:
            self.command("present", pem=self.authority.server_file.read_text())

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        port, tls_port, control_port = (str(port_of(holder)) for holder in self._holders)
        arguments = [port, control_port, USER, PASSWORD, tls_port, str(self.authority.server_file)]
        # express-pouchdb makes folders where it stands.
        command = ["env", "-C", self._folder.name, self._binary, str(FOLDER / "server.js"), *arguments]
        self._process = start(command, log=self._log)
        until(self._answers, seconds=30, what="the CouchDB API server answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the CouchDB API server ended: {tail(self._log)}"
        try:
            self.command("behave")
        except requests.ConnectionError:
            return False
        return True

    def stop(self, *, kill: bool = False) -> None:
        """Stop it, with SIGKILL if `kill`; connections break, new ones are refused, all data is gone."""
        if self._process is not None:
            end(self._process, kill=kill)
            self._process = None

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Have it refuse connections meanwhile, as while it is stopped; all data stays."""
        self.command("refuse")
        try:
            yield
        finally:
            self.command("listen")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have it hang meanwhile: connections are taken, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it for good."""
        self.stop(kill=True)
        self._session.close()
        for holder in self._holders:
            holder.close()
        self._folder.cleanup()

    def create(self, *databases: str) -> None:
        """Make empty databases."""
        for database in databases:
            create_database(self.url, database)

    def put(self, database: str, document: Mapping[str, Any] | bytes, doc_id: str | None = None) -> str:
        """Save a document, given as a mapping or as raw JSON and id, and return its revision."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        name = doc_id if doc_id is not None or isinstance(document, bytes) else str(document["_id"])
        answer = self.request("PUT", path_of(database, name), body)
        answer.raise_for_status()
        return str(answer.json()["rev"])

    def raw(self, database: str, doc_id: str) -> bytes:
        """Return a document as the server sends it."""
        answer = self.request("GET", path_of(database, doc_id))
        answer.raise_for_status()
        return answer.content

    def get(self, database: str, doc_id: str) -> dict[str, Any]:
        """Return a document."""
        document: dict[str, Any] = json.loads(self.raw(database, doc_id))
        return document

    def request(self, method: str, path: str, body: bytes | None = None) -> requests.Response:
        """Ask it as an administrator would."""
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}{path}"
        return self._session.request(method, url, data=body, headers=headers, timeout=30)

    def reset(self) -> None:
        """Drop all databases, faults and recorded requests."""
        self.command("reset")

    def misbehave(self, action: str, *, method: str | None = None, times: int = -1, **fields: object) -> None:
        """Have the next `times` requests (all, if -1) with `method` (or any) end otherwise: see `actions` in server.js.

        `hang`; `delay` with `ms`; `drop`; `drop_answer`; `keep_answer`; `flood`; `drip` with `ms` and `body` (bytes).
        """
        if isinstance(fields.get("body"), bytes):
            fields["body"] = base64.b64encode(fields["body"]).decode()  # type: ignore[arg-type]
        self.command("misbehave", action=action, method=method, times=times, **fields)

    def answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        method: str | None = None,
        times: int = -1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Have the next requests answered so, whatever they ask for."""
        self.misbehave("answer", method=method, times=times, status=status, body=body, headers=dict(headers or {}))

    def behave(self) -> None:
        """End all misbehaviour, for requests that come from now on."""
        self.command("behave")

    def requests(self) -> list[dict[str, Any]]:
        """Return what was asked since the last `reset`: method, url as it came, headers, connection, body (bytes)."""
        seen: list[dict[str, Any]] = self.command("requests")
        return [{**each, "body": base64.b64decode(each.get("body", ""))} for each in seen]

    def command(self, command: str, **fields: object) -> Any:
        """Have the server's control port carry out `command`: see `commands` in server.js."""
        url = f"http://127.0.0.1:{port_of(self._holders[2])}"
        answer = requests.post(url, json={"command": command, **fields}, timeout=30)
        answer.raise_for_status()
        return answer.json()
