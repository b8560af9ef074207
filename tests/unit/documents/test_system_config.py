"""The cached settings: how fresh, who reads, and what happens while the store is away."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pusher.documents import system_config
from pusher.documents.sealed import SecretKeys, make_key
from pusher.documents.sqlite import SQLiteDocuments
from pusher.documents.system_config import MAX_AGE_S, RETRY_S, SystemConfig
from pusher.errors import DocumentMissing, DocumentsUnavailable
from pusher.push.app import AppleApp, FirebaseApp, ProviderName
from tests.support.until import until

APP = "org.example.app"


class WatchedDocuments(SQLiteDocuments):
    """SQLite whose reads are counted, and can be held up or refused."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads = 0
        self.away = False
        self.gone = False
        self.fault: ZeroDivisionError | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()

    def read(self, database: str, doc_id: str) -> dict[str, Any]:
        """Read, when it may."""
        self.reads += 1
        if self.away:
            raise DocumentsUnavailable("the store is away")
        if self.gone:
            raise DocumentMissing("it is gone")
        if self.fault is not None:
            raise self.fault
        document = super().read(database, doc_id)
        self.may_answer.wait(10)
        return document

    def set_api_key(self, api_key: str) -> None:
        """Change the one app's only setting."""
        document = super().read("system_config", "pusher")
        self.save("system_config", {**document, APP: {"firebase": {"api_key": api_key}}})


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[WatchedDocuments]:
    """A store that holds one app with key `one`."""
    store = WatchedDocuments(tmp_path / "pusher.db")
    rules = {"Linphone": {"regex": "^Linphone", "properties": {"Token-ID": "pn-tok"}}}
    store.save("system_config", {"_id": "pusher", "default": {"User-Agents": rules}})
    store.set_api_key("one")
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    """The cache's clock."""
    return Clock()


@pytest.fixture
def config(documents: WatchedDocuments, clock: Clock) -> Iterator[SystemConfig]:
    """Settings that were never read."""
    config = SystemConfig(documents, monotonic=clock)
    yield config
    documents.may_answer.set()
    config.close()


def api_key(config: SystemConfig) -> str | None:
    """Return the app's key as the settings have it now."""
    app = config.app(APP, ProviderName.FIREBASE)
    assert isinstance(app, FirebaseApp)
    return app.api_key


def test_nothing_is_read_before_it_is_asked_for(config: SystemConfig, documents: WatchedDocuments) -> None:
    assert documents.reads == 0
    assert [rule.name for rule in config.user_agents()] == ["Linphone"]


def test_a_minute_of_questions_costs_one_read(config: SystemConfig, documents: WatchedDocuments, clock: Clock) -> None:
    for _ in range(10):
        assert api_key(config) == "one"
        assert config.user_agents()
        assert len(config.apps()) == 1
        clock.time += (MAX_AGE_S - 1) / 10
    assert documents.reads == 1


def test_a_change_that_nobody_announced_is_seen_after_a_minute(
    config: SystemConfig, documents: WatchedDocuments, clock: Clock
) -> None:
    assert api_key(config) == "one"
    documents.set_api_key("two")
    assert api_key(config) == "one"
    clock.time += MAX_AGE_S
    until(lambda: api_key(config) == "two")
    assert documents.reads == 2


def test_an_announced_change_is_seen_at_once(config: SystemConfig, documents: WatchedDocuments) -> None:
    assert api_key(config) == "one"
    documents.set_api_key("two")
    config.drop()
    assert api_key(config) == "two"
    assert documents.reads == 2


def test_a_document_that_is_gone_is_told_and_does_not_count(
    config: SystemConfig, documents: WatchedDocuments, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A node of CouchDB that has not heard of its databases says so; every call would be refused."""
    assert api_key(config) == "one"
    documents.gone = True
    config.drop()
    assert api_key(config) == "one"
    assert [record.fields["error"] for record in caplog.records] == ["the pusher document is gone"]
    documents.gone = False
    documents.set_api_key("two")
    clock.time += RETRY_S
    until(lambda: api_key(config) == "two")


def test_a_system_without_threads_to_give_goes_on_with_what_was_read(
    config: SystemConfig, documents: WatchedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api_key(config) == "one"
    documents.set_api_key("two")
    config.drop()
    with monkeypatch.context() as patched:
        patched.setattr("threading.Thread.start", no_thread)
        assert api_key(config) == "one"
    until(lambda: api_key(config) == "two")


def no_thread(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_an_unchanged_document_is_not_parsed_again(config: SystemConfig, documents: WatchedDocuments) -> None:
    rules = config.user_agents()
    config.drop()
    assert config.user_agents() is rules
    assert documents.reads == 2


def test_no_document_means_no_settings(tmp_path: Path) -> None:
    documents = SQLiteDocuments(tmp_path / "empty.db")
    config = SystemConfig(documents)
    assert config.user_agents() == ()
    assert config.apps() == ()
    assert config.app(APP, ProviderName.FIREBASE) is None
    config.close()
    documents.close()


def test_while_the_store_is_away_the_last_settings_count(
    config: SystemConfig, documents: WatchedDocuments, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert api_key(config) == "one"
    documents.away = True
    for _ in range(30):
        clock.time += MAX_AGE_S / 2
        config.drop()
        assert api_key(config) == "one"
    assert len(caplog.records) == 15
    documents.away = False
    documents.set_api_key("two")
    clock.time += RETRY_S
    until(lambda: api_key(config) == "two")


def test_a_store_that_is_away_is_asked_every_few_seconds_only(
    config: SystemConfig, documents: WatchedDocuments, clock: Clock
) -> None:
    api_key(config)
    documents.away = True
    clock.time += MAX_AGE_S
    for _ in range(100):
        api_key(config)
        config.close()
    assert documents.reads == 2


def test_settings_that_were_never_read_are_unavailable_until_the_store_answers(
    config: SystemConfig, documents: WatchedDocuments, clock: Clock
) -> None:
    documents.away = True
    for _ in range(100):
        with pytest.raises(DocumentsUnavailable, match="the store is away"):
            api_key(config)
    assert documents.reads == 1
    documents.away = False
    clock.time += RETRY_S
    assert api_key(config) == "one"


def test_of_a_hundred_threads_one_reads_for_all(config: SystemConfig, documents: WatchedDocuments) -> None:
    documents.may_answer.clear()
    with ThreadPoolExecutor(100) as pool:
        answers = [pool.submit(api_key, config) for _ in range(100)]
        until(lambda: documents.reads)
        documents.may_answer.set()
        assert {answer.result(10) for answer in answers} == {"one"}
    assert documents.reads == 1


def test_nobody_waits_for_a_slow_store_while_old_settings_will_do(
    config: SystemConfig, documents: WatchedDocuments, clock: Clock
) -> None:
    api_key(config)
    clock.time += MAX_AGE_S
    documents.may_answer.clear()
    documents.set_api_key("two")
    assert [api_key(config) for _ in range(100)] == ["one"] * 100
    until(lambda: documents.reads == 2)
    documents.may_answer.set()
    until(lambda: api_key(config) == "two")
    assert documents.reads == 2


def test_a_slow_store_delays_calls_once_after_an_announced_change(
    config: SystemConfig, documents: WatchedDocuments, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The old settings count until the read ends: a phone's call waits for its registration meanwhile."""
    monkeypatch.setattr(system_config, "CHANGE_WAIT_S", 0.2)
    api_key(config)
    documents.set_api_key("two")
    documents.may_answer.clear()
    config.drop()
    began = time.monotonic()
    assert api_key(config) == "one"
    assert 0.2 <= time.monotonic() - began < 2
    clock.time += 0.2
    began = time.monotonic()
    assert [api_key(config) for _ in range(100)] == ["one"] * 100
    assert time.monotonic() - began < 0.2
    documents.may_answer.set()
    until(lambda: api_key(config) == "two")
    assert documents.reads == 2


def test_settings_that_take_too_long_to_read_the_first_time_are_unavailable(
    config: SystemConfig, documents: WatchedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_config, "FIRST_WAIT_S", 0.2)
    documents.may_answer.clear()
    with pytest.raises(DocumentsUnavailable, match="not read yet"):
        api_key(config)
    documents.may_answer.set()
    assert api_key(config) == "one"
    assert documents.reads == 1


def test_closing_waits_for_the_read_under_way(config: SystemConfig, documents: WatchedDocuments, clock: Clock) -> None:
    """It would open the closed file again."""
    api_key(config)
    clock.time += MAX_AGE_S
    documents.may_answer.clear()
    api_key(config)
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(config.close)
        until(lambda: documents.reads == 2)
        assert not closing.done()
        documents.may_answer.set()
        closing.result(10)
    assert "settings" not in [thread.name for thread in threading.enumerate()]


def test_an_error_of_ours_is_told_once_and_the_old_settings_count(
    config: SystemConfig, documents: WatchedDocuments, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    api_key(config)
    documents.fault = ZeroDivisionError("a fault of ours")
    config.drop()
    for _ in range(3):
        assert api_key(config) == "one"
    config.close()
    assert [args.exc_value for args in told] == [documents.fault]
    documents.fault = None
    documents.set_api_key("two")
    clock.time += RETRY_S
    until(lambda: api_key(config) == "two")


def test_after_an_announced_change_nobody_gets_the_old_settings(
    config: SystemConfig, documents: WatchedDocuments
) -> None:
    """Not even while another thread is still reading: a disabled app must not get another push."""
    api_key(config)
    documents.set_api_key("two")
    config.drop()
    documents.may_answer.clear()
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(api_key, config) for _ in range(2)]
        until(lambda: documents.reads == 2)
        documents.may_answer.set()
        assert [answer.result(10) for answer in answers] == ["two", "two"]
    assert documents.reads == 2


def test_a_change_announced_during_a_read_is_not_missed(config: SystemConfig, documents: WatchedDocuments) -> None:
    """What is being read may be the version before it."""
    documents.may_answer.clear()
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(api_key, config)
        until(lambda: documents.reads == 1)
        documents.set_api_key("two")
        config.drop()
        documents.may_answer.set()
        early.result(10)
    assert api_key(config) == "two"


def test_a_broken_setting_is_told_once_and_again_only_after_a_change(
    config: SystemConfig, documents: WatchedDocuments, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    document = documents.read("system_config", "pusher")
    documents.save("system_config", {**document, "org.broken": {"firebase": {"host": 1}}})
    config.user_agents()
    clock.time += MAX_AGE_S
    config.user_agents()
    config.close()
    assert len(caplog.records) == 1
    documents.set_api_key("two")
    clock.time += MAX_AGE_S
    config.user_agents()
    config.close()
    assert len(caplog.records) == 2


class CountedKeys(SecretKeys):
    """Keys that count what they decrypt."""

    decrypted = 0

    def unseal(self, value: str) -> str:
        """Decrypt."""
        self.decrypted += 1
        return super().unseal(value)


def test_a_credential_is_decrypted_once_for_each_revision_and_not_for_each_push(
    documents: WatchedDocuments, clock: Clock
) -> None:
    keys = CountedKeys((make_key(),))
    document = documents.read("system_config", "pusher")
    documents.save("system_config", {**document, APP: {"apple": {"certificate": keys.seal("<PEM>")}}})
    config = SystemConfig(documents, keys=keys, monotonic=clock)
    for _ in range(5):
        for _ in range(100):
            assert config.app(APP, ProviderName.APPLE) == AppleApp(app_id=APP, certificate="<PEM>")
        clock.time += MAX_AGE_S
        reads = documents.reads
        config.app(APP, ProviderName.APPLE)
        config.close()
        assert documents.reads == reads + 1
    assert keys.decrypted == 1
    config.close()
