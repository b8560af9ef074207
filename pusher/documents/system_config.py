"""The settings that operators change while Pusher runs: read at most once a minute, kept while the store is away."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pusher.documents import pusher_document
from pusher.documents.typed_settings import TypedSettings
from pusher.errors import DocumentsUnavailable
from pusher.logs import Quiet, event
from pusher.ports import Documents
from pusher.push.app import App, ProviderName
from pusher.registration.user_agents import UserAgentRule

log = logging.getLogger("pusher.documents")

#: Seconds after which the document is read again, whether or not a change was announced.
MAX_AGE_S = 60.0
#: Seconds for which a store that did not answer is left alone: pushes do not wait for it one after the other.
RETRY_S = 5.0


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
    """Implements `ports.Settings` over any documents store. Safe for threads; one of them reads, for all."""

    def __init__(
        self,
        documents: Documents,
        *,
        zone: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents = documents
        self._zone = zone
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._quiet = Quiet(60.0)
        #: Replaced by every announced change.
        self._generation = object()
        self._last = _Read(settings=None, rev=None, error=None, generation=None, until=0.0)

    def user_agents(self) -> tuple[UserAgentRule, ...]:
        """Return the rules in document order. Raises `DocumentsUnavailable`, only while nothing was ever read."""
        return self._settings().user_agents

    def app(self, app_id: str, provider: ProviderName) -> App | None:
        """Return the app's settings for `provider`, None where neither app nor default knows it.

        Raises `DocumentsUnavailable`, only while nothing was ever read.
        """
        return self._settings().app(app_id, provider)

    def apps(self) -> tuple[App, ...]:
        """Return what the document says of its apps, in document order; `default` first where it has settings.

        Raises `DocumentsUnavailable`, only while nothing was ever read.
        """
        return tuple(self._settings().apps.values())

    def drop(self) -> None:
        """Have the next call read the document again: it changed."""
        self._generation = object()

    def _settings(self) -> TypedSettings:
        last = self._last
        if not self._counts(last):
            # Old settings are good enough to go on with while another thread reads; outdated ones are not.
            may_wait = last.settings is None or last.generation is not self._generation
            if self._lock.acquire(blocking=may_wait):
                try:
                    last = self._last = self._read(self._last)
                finally:
                    self._lock.release()
        if last.settings is None:
            raise DocumentsUnavailable(last.error or "the settings were never read")
        return last.settings

    def _counts(self, last: _Read) -> bool:
        return last.generation is self._generation and self._monotonic() < last.until

    def _read(self, last: _Read) -> _Read:
        """Return what the document says now; `last` itself where another thread was faster."""
        if self._counts(last):
            return last
        # Taken before reading: a change announced meanwhile may not be in what is read.
        generation = self._generation
        settings, rev, error = last.settings, last.rev, None
        try:
            document = pusher_document.read(self._documents)
        except DocumentsUnavailable as unavailable:
            error = str(unavailable)
            self._warn(error)
        else:
            rev_now = document.get("_rev")
            # Parsed again only after a change, and so its faults are told only once.
            if settings is None or rev_now != rev:
                settings, rev = TypedSettings.of(document, self._zone), rev_now
        until = self._monotonic() + (MAX_AGE_S if error is None else RETRY_S)
        return _Read(settings=settings, rev=rev, error=error, generation=generation, until=until)

    def _warn(self, error: str) -> None:
        if self._quiet.due("unavailable", self._monotonic()):
            event(log, logging.WARNING, "settings cannot be read now", error=error)
