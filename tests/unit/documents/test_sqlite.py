"""What only the SQLite file has: who may read it, several processes, and what happens when it cannot be used."""

import multiprocessing
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from pusher.documents import sqlite
from pusher.documents.sqlite import SQLiteDocuments
from pusher.errors import DocumentConflict, DocumentMissing, DocumentsUnavailable, SettingsInvalid
from tests.support.until import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "pusher.db"


@pytest.fixture
def documents(path: Path) -> Iterator[SQLiteDocuments]:
    """An empty store."""
    store = SQLiteDocuments(path)
    yield store
    store.close()


def test_nobody_else_may_read_the_credentials_in_it(documents: SQLiteDocuments, path: Path) -> None:
    before = os.umask(0)
    try:
        documents.save("system_config", {"_id": "pusher"})
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("pusher.db", "pusher.db-wal", "pusher.db-shm"), 0o600)


def test_the_rights_that_an_operator_gave_are_kept(documents: SQLiteDocuments, path: Path) -> None:
    path.touch(0o640)
    path.chmod(0o640)
    documents.save("system_config", {"_id": "pusher"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_was_saved_outlives_the_process(documents: SQLiteDocuments, path: Path) -> None:
    documents.save("system_config", {"_id": "pusher", "kept": True})
    documents.close()
    again = SQLiteDocuments(path)
    assert again.read("system_config", "pusher")["kept"]
    again.close()


def test_the_text_in_the_file_can_be_read_by_people(documents: SQLiteDocuments, path: Path) -> None:
    documents.save("system_config", {"_id": "pusher", "name": "Zoë"})
    documents.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT body FROM documents").fetchall() == [('{"name":"Zoë"}',)]
    connection.close()


def test_half_a_surrogate_pair_is_kept(documents: SQLiteDocuments) -> None:
    documents.save("db", {"_id": "d", "push": {"Token-ID": "a\ud83db", "é": 1}})
    assert documents.read("db", "d")["push"] == {"Token-ID": "a\ud83db", "é": 1}


def _add_marks(folder: Path, worker: int, together: Barrier) -> None:
    """Open ten new files at the same time as the other workers, and add one mark to each."""
    for number in range(10):
        together.wait(10)
        store = SQLiteDocuments(folder / f"{number}.db")
        while True:
            try:
                document = store.read("db", "shared")
            except DocumentMissing:
                document = {"_id": "shared", "marks": []}
            try:
                store.save("db", {**document, "marks": [*document["marks"], worker]})
            except DocumentConflict:
                continue
            break
        store.close()


def test_processes_that_start_at_once_lose_no_change(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(4)
    workers = [spawn.Process(target=_add_marks, args=(tmp_path, number, together)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 4
    for number in range(10):
        store = SQLiteDocuments(tmp_path / f"{number}.db")
        assert sorted(store.read("db", "shared")["marks"]) == [0, 1, 2, 3]
        store.close()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the file's write lock as another process would."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_file_that_another_process_holds_is_unavailable(
    documents: SQLiteDocuments, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    documents.save("db", {"_id": "d"})
    with held(path):
        with pytest.raises(DocumentsUnavailable, match="locked"):
            documents.save("db", {"_id": "e"})
        assert documents.read("db", "d")["_id"] == "d"
    assert documents.save("db", {"_id": "e"}).created


def test_a_read_does_not_wait_for_a_save_of_another_thread_that_waits_for_the_file(
    documents: SQLiteDocuments, path: Path
) -> None:
    """Not even the first read, which opens the file."""
    documents.save("db", {"_id": "d"})
    with ThreadPoolExecutor(1) as pool:
        with held(path):
            save = pool.submit(documents.save, "db", {"_id": "e"})
            until(documents._writer._lock.locked)
            assert documents.read("db", "d")["_id"] == "d"
            assert not save.done()
        assert save.result(10).created


def test_a_hundred_saves_on_a_held_file_do_not_wait_one_after_the_other(
    documents: SQLiteDocuments, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's threads are for pushes, too."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    monkeypatch.setattr(sqlite, "TURN_TIMEOUT_S", 0.1)
    documents.save("db", {"_id": "d"})

    def save(number: int) -> None:
        with pytest.raises(DocumentsUnavailable, match=r"locked|in use by other threads for more than 0\.1 s"):
            documents.save("db", {"_id": str(number)})

    with held(path), ThreadPoolExecutor(100) as pool:
        began = time.monotonic()
        list(pool.map(save, range(100)))
        assert time.monotonic() - began < 2


def test_threads_that_start_at_once_lose_no_save(tmp_path: Path) -> None:
    """Whichever of reader and writer makes the file."""
    for number in range(20):
        documents = SQLiteDocuments(tmp_path / f"{number}.db")
        together = threading.Barrier(8)

        def work(worker: int, documents: SQLiteDocuments = documents, together: threading.Barrier = together) -> None:
            together.wait(10)
            with pytest.raises(DocumentMissing):
                documents.read("db", str(worker))
            documents.save("db", {"_id": str(worker)})
            assert documents.read("db", str(worker))["_id"] == str(worker)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        documents.close()


def test_a_folder_that_is_missing_is_unavailable_until_it_is_there(tmp_path: Path) -> None:
    documents = SQLiteDocuments(tmp_path / "later" / "pusher.db")
    with pytest.raises(DocumentsUnavailable, match="No such file"):
        documents.read("db", "d")
    (tmp_path / "later").mkdir()
    assert documents.save("db", {"_id": "d"}).created
    documents.close()


def test_a_file_of_another_kind_is_unavailable_and_left_alone(documents: SQLiteDocuments, path: Path) -> None:
    path.write_text("not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(DocumentsUnavailable, match="not a database"):
        documents.save("db", {"_id": "d"})
    assert path.read_text().startswith("not a database")


def test_a_relative_path_stays_what_it_was_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    documents = SQLiteDocuments.from_url("sqlite:///relative%20name.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    documents.save("db", {"_id": "d"})
    documents.close()
    assert (tmp_path / "relative name.db").exists()


def test_an_absolute_path_has_four_slashes(tmp_path: Path) -> None:
    documents = SQLiteDocuments.from_url(f"sqlite:///{tmp_path}/absolute.db")
    documents.save("db", {"_id": "d"})
    documents.close()
    assert (tmp_path / "absolute.db").exists()


@pytest.mark.parametrize(
    "url", ["sqlite://relative.db", "sqlite:///", "sqlite:////", "sqlite:///a.db?mode=ro", "http://couch:5984"]
)
def test_another_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="PUSHER_DOCUMENTS_URL"):
        SQLiteDocuments.from_url(url)
