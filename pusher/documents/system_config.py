"""The settings that operators change while Pusher runs: read at most once a minute, kept while the store is away."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from pusher.documents import pusher_document
from pusher.documents.sealed import NO_KEYS, SecretKeys
from pusher.documents.typed_settings import TypedSettings
from pusher.errors import DocumentsUnavailable, SettingsInvalid
from pusher.logs import Quiet, event
from pusher.ports import Documents
from pusher.push.app import App, ProviderName
from pusher.registration.user_agents import UserAgentRule

log = logging.getLogger("pusher.documents")

#: Seconds after which the document is read again, whether or not a change was announced.
MAX_AGE_S = 60.0
#: Seconds for which a store that did not answer is left alone: pushes do not wait for it one after the other.
RETRY_S = 5.0
#: Seconds, from the begin of a read, that callers wait for it after an announced change; then the old settings count
#: until it ends. The listener answers no phone meanwhile.
CHANGE_WAIT_S = 0.5
#: The same while there are no settings to go on with.
FIRST_WAIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What the last attempt to read the document brought."""

    #: None as long as the document was never read.
    settings: TypedSettings | None
    #: `_rev` of the document that `settings` were made of.
    rev: str | None
    #: Why the document could not be read this time.
    error: str | None
    #: Which of the announced changes it may have seen.
    generation: object
    #: Monotonic seconds until when it counts.
    until: float


class SystemConfig:
    """Implements `ports.Settings` over any documents store. Safe for threads; one of its own reads, for all."""

    def __init__(
        self,
        documents: Documents,
        *,
        zone: str | None = None,
        keys: SecretKeys = NO_KEYS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents = documents
        self._zone = zone
        self._keys = keys
        self._monotonic = monotonic
        #: Notified when a read has ended.
        self._ended = threading.Condition()
        #: Reads for all, or did so last.
        self._reader: threading.Thread | None = None
        self._reading = False
        #: Monotonic seconds when the reader began.
        self._began = 0.0
        self._quiet = Quiet(60.0)
        #: Replaced by every announced change.
        self._generation = object()
        self._last = _Read(settings=None, rev=None, error=None, generation=None, until=0.0)

    def user_agents(self) -> tuple[UserAgentRule, ...]:
        """Return the rules in document order. Raises `DocumentsUnavailable`, only while nothing was ever read."""
        return self._settings().user_agents

    def app(self, app_id: str, provider: ProviderName, *, own: bool = False) -> App | None:
        """Return the app's settings for `provider`, None where neither app nor default knows it.

        With `own`, None also where only default does. Raises `DocumentsUnavailable`, only while nothing was ever read.
        """
        return self._settings().app(app_id, provider, own=own)

    def apps(self) -> tuple[App, ...]:
        """Return what the document says of its apps, in document order; `default` first where it has settings.

        Raises `DocumentsUnavailable`, only while nothing was ever read.
        """
        return tuple(self._settings().apps.values())

    def skipped(self) -> tuple[SettingsInvalid, ...]:
        """Return what of the document cannot be used. Raises `DocumentsUnavailable`, as the others do."""
        return self._settings().skipped

    def drop(self) -> None:
        """Have the next call read the document again: it changed."""
        self._generation = object()

    def close(self) -> None:
        """Wait for a read that is under way: the store behind it is about to be closed."""
        with self._ended:
            reader = self._reader
        if reader is not None:
            reader.join(FIRST_WAIT_S)

    def _settings(self) -> TypedSettings:
        if not self._counts(self._last):
            with self._ended:
                if not self._fresh():
                    # For nothing, where old settings are good enough; outdated ones are not.
                    self._ended.wait_for(self._fresh, timeout=self._patience_s())
        last = self._last
        if last.settings is None:
            raise DocumentsUnavailable(last.error or "the settings were not read yet")
        return last.settings

    def _fresh(self) -> bool:
        """Tell whether what was read counts, and have it read where it does not."""
        if self._counts(self._last):
            return True
        if not self._reading:
            self._began = self._monotonic()
            reader = threading.Thread(target=self._read_once, name="settings", daemon=True)
            try:
                reader.start()
            except RuntimeError as error:
                # The system has no thread to give; old settings are good enough until it has.
                self._warn(str(error))
                return False
            self._reader, self._reading = reader, True
        return False

    def _patience_s(self) -> float:
        """Return for how many seconds the read under way is worth waiting."""
        if self._last.settings is None:
            patience_s = FIRST_WAIT_S
        elif self._last.generation is not self._generation:
            patience_s = CHANGE_WAIT_S
        else:
            return 0.0
        return max(0.0, self._began + patience_s - self._monotonic())

    def _counts(self, last: _Read) -> bool:
        return last.generation is self._generation and self._monotonic() < last.until

    def _read_once(self) -> None:
        # Taken before reading: a change announced meanwhile may not be in what is read.
        generation, until = self._generation, self._monotonic() + RETRY_S
        # Counts if an error of ours ends the thread, which tells it on standard error: once, not with every call.
        read = replace(self._last, error="reading failed, see the traceback", generation=generation, until=until)
        try:
            read = self._read(self._last, generation)
        finally:
            with self._ended:
                self._last, self._reading = read, False
                self._ended.notify_all()

    def _read(self, last: _Read, generation: object) -> _Read:
        """Return what the document says now."""
        settings, rev, error = last.settings, last.rev, None
        try:
            document = pusher_document.read(self._documents)
        except DocumentsUnavailable as unavailable:
            error = str(unavailable)
            self._warn(error)
        else:
            rev_now = document.get("_rev")
            if rev_now is None and rev is not None:
                # A node of CouchDB that does not know its databases yet says so, and every call would fail.
                error = "the pusher document is gone"
                self._warn(error)
            # Parsed and decrypted again only after a change, and so its faults are told only once.
            elif settings is None or rev_now != rev:
                settings, rev = TypedSettings.of(document, self._zone, self._keys), rev_now
        until = self._monotonic() + (MAX_AGE_S if error is None else RETRY_S)
        return _Read(settings=settings, rev=rev, error=error, generation=generation, until=until)

    def _warn(self, error: str) -> None:
        if self._quiet.due("unavailable", self._monotonic()):
            event(log, logging.WARNING, "settings cannot be read now", error=error)
