"""Keeps connections open and tokens fresh, so that no call pays for them: after a start, after an idle hour.

A connection that a provider closed is opened again at once; one that does not hold is tried again ever more rarely.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pusher.clock import Deadline
from pusher.errors import DocumentsUnavailable
from pusher.logs import event
from pusher.ports import Provider
from pusher.push.app import App, ProviderName

log = logging.getLogger("pusher.flows")

#: Seconds between two looks; each costs some microseconds an app.
INTERVAL_S = 1.0
#: Seconds for a look at one app: a token server that hangs must not keep the other apps cold.
LOOK_LIMIT_S = 5.0
#: Seconds until an app whose connection did not hold is tried again, at first and at most.
FIRST_PAUSE_S, LAST_PAUSE_S = 5.0, 300.0
#: Apps that are kept warm: each may be a connection and a thread. What more there are connect with their first push.
MAX_APPS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cold:
    """An app whose connection had to be begun."""

    #: Monotonic seconds of that, and how long it has to hold.
    at: float
    pause_s: float


class KeepWarm:
    """Looks after the apps of `providers` in a thread of its own; `list_apps` may raise `DocumentsUnavailable`."""

    def __init__(
        self,
        *,
        list_apps: Callable[[], Iterable[App]],
        providers: Mapping[ProviderName, Provider],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._list_apps = list_apps
        self._providers = providers
        self._monotonic = monotonic
        self._cold: dict[tuple[str, ProviderName], _Cold] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keep warm", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a look under way is left to end by itself."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(LOOK_LIMIT_S)

    def look(self) -> None:
        """Warm every app that is enabled and not left alone for now."""
        try:
            apps = [app for app in self._list_apps() if app.provider in self._providers][:MAX_APPS]
        except DocumentsUnavailable:
            return  # Pushes wait for the settings too.
        known = {(app.app_id, app.provider) for app in apps}
        self._cold = {key: cold for key, cold in self._cold.items() if key in known}
        for app in apps:
            if self._over.is_set():
                return
            if app.enabled and app.has_credential:
                self._warm(app)

    def _run(self) -> None:
        self.look()
        while not self._over.wait(INTERVAL_S):
            self.look()

    def _warm(self, app: App) -> None:
        key = (app.app_id, app.provider)
        cold, now = self._cold.get(key), self._monotonic()
        if cold is not None and now - cold.at < cold.pause_s:
            return
        if self._providers[app.provider].warm(app, Deadline.after(LOOK_LIMIT_S)):
            self._cold.pop(key, None)
            return
        pause_s = FIRST_PAUSE_S if cold is None else min(LAST_PAUSE_S, 2 * cold.pause_s)
        self._cold[key] = _Cold(at=now, pause_s=pause_s)
        event(log, logging.DEBUG, "app warmed", app=app.app_id, provider=app.provider, pause_s=pause_s)
