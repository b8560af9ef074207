"""Documents in an embedded SQLite file, for an installation without CouchDB: same revisions, same conflicts.

Two connections per process, each used by one thread at a time: one writes, and one reads, which never waits for a
writer. Other processes are kept out by SQLite's own locks.
"""

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import unquote, urlsplit

from pusher.clock import Deadline
from pusher.errors import DocumentConflict, DocumentMissing, DocumentsUnavailable, SettingsInvalid
from pusher.ports import Saved

#: Seconds to wait while another process writes.
BUSY_TIMEOUT_S = 5.0
#: Seconds to wait while other threads use the connection. With a file that is slow or locked, a queue of saves would
#: otherwise keep all threads of a worker from pushing.
TURN_TIMEOUT_S = 2.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    database TEXT NOT NULL, id TEXT NOT NULL, rev TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (database, id)
)
"""


class SQLiteDocuments:
    """Implements `ports.Documents`. Safe for threads and for processes."""

    creates_devices = True

    def __init__(self, path: Path) -> None:
        # Absolute, so that it stays the same file whatever the working directory becomes.
        self._reader = _Connection(path.absolute())
        self._writer = _Connection(path.absolute())

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store in `sqlite:///relative.db` or `sqlite:////absolute.db`. Raises `SettingsInvalid`."""
        parts = urlsplit(url)
        path = unquote(parts.path[1:])
        if parts.scheme != "sqlite" or parts.netloc or parts.query or parts.fragment or not path.strip("/"):
            problem = "must be sqlite:///relative.db or sqlite:////absolute.db"
            raise SettingsInvalid("PUSHER_DOCUMENTS_URL", problem)
        return cls(Path(path))

    def read(self, database: str, doc_id: str) -> dict[str, Any]:
        """Return the document with `_id` and `_rev`. Raises `DocumentMissing`, `DocumentsUnavailable`."""
        query = "SELECT rev, body FROM documents WHERE database = ? AND id = ?"
        with self._reader.usable() as connection:
            row = connection.execute(query, (database, doc_id)).fetchone()
        if row is None:
            raise DocumentMissing(f"{database}/{doc_id} does not exist")
        return {"_id": doc_id, "_rev": row[0], **json.loads(row[1])}

    def save(self, database: str, document: Mapping[str, Any]) -> Saved:
        """Save; `_rev` must be the one read, absent for a new document.

        Raises `DocumentConflict`, `DocumentsUnavailable`.
        """
        doc_id, rev = document["_id"], document.get("_rev")
        body = _to_json({key: value for key, value in document.items() if key not in ("_id", "_rev")})
        new_rev = _next_rev(rev, body)
        with self._writer.usable() as connection:
            if rev is None:
                statement = "INSERT INTO documents VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
                cursor = connection.execute(statement, (database, doc_id, new_rev, body))
            else:
                statement = "UPDATE documents SET rev = ?, body = ? WHERE database = ? AND id = ? AND rev = ?"
                cursor = connection.execute(statement, (new_rev, body, database, doc_id, rev))
        if cursor.rowcount != 1:
            raise DocumentConflict(f"{database}/{doc_id} has another revision")
        return Saved(rev=new_rev, created=rev is None)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._reader.close()
        self._writer.close()


class _Connection:
    """A connection to the file, opened on first use, for one thread at a time."""

    #: Held by whoever makes the file.
    _making: ClassVar = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def usable(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection to this thread alone; each statement is a transaction of its own.

        Raises `DocumentsUnavailable`.
        """
        if not self._lock.acquire(timeout=TURN_TIMEOUT_S):
            raise DocumentsUnavailable(f"{self._path}: in use by other threads for more than {TURN_TIMEOUT_S:g} s")
        try:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            raise DocumentsUnavailable(f"{self._path}: {error}") from error
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close it; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        # Before SQLite does: it would let everybody read the credentials in it. -wal and -shm take their mode from
        # it. A file that exists is left alone: to close it would drop the locks of this process' connections; so would
        # closing a new one that the other connection has opened meanwhile.
        with self._making, suppress(FileExistsError):
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        patience = Deadline.after(BUSY_TIMEOUT_S)
        while True:
            try:
                return self._set_up()
            except sqlite3.OperationalError as error:
                # Of two processes that turn the write-ahead log on in a new file, SQLite refuses one without waiting.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or patience.passed:
                    raise
            time.sleep(0.01)

    def _set_up(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _to_json(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair from a phone: only its escape can be stored.
        return json.dumps(body, separators=(",", ":"))
    return text


def _next_rev(rev: str | None, body: str) -> str:
    """Return the revision after `rev`, in CouchDB's form: a count and 32 hex digits."""
    count = "0" if rev is None else rev.partition("-")[0]
    # A revision that is none of ours fits no document; the conflict tells, not a ValueError here.
    number = int(count) + 1 if count.isdecimal() else 1
    return f"{number}-{hashlib.sha256(f'{rev} {body}'.encode()).hexdigest()[:32]}"
