"""Doubles for the ports that only tell or hand on: they remember what they were given, or fail when asked to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pusher.clock import Deadline
from pusher.errors import BusUnavailable, DocumentsUnavailable
from pusher.messages.document_change import DocumentChange
from pusher.messages.push_response import PushResponse
from pusher.push.app import App, ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import Outcome
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from pusher.registration.user_agents import UserAgentRule


@dataclass
class RecordingBus:
    """Announce: keeps what is said; the next `failures` messages are not taken."""

    responses: list[PushResponse] = field(default_factory=list)
    changes: list[DocumentChange] = field(default_factory=list)
    failures: int = 0

    def respond(self, *responses: PushResponse) -> None:
        self._fail_if_told()
        self.responses.extend(responses)

    def document_changed(self, change: DocumentChange) -> None:
        self._fail_if_told()
        self.changes.append(change)

    def _fail_if_told(self) -> None:
        if self.failures:
            self.failures -= 1
            raise BusUnavailable("told to fail")


@dataclass
class RecordingQueue:
    """Enqueue: keeps what is handed on; while `away`, nothing is taken."""

    pushes: list[Notification] = field(default_factory=list)
    learned: list[tuple[Device, PushObject]] = field(default_factory=list)
    forgotten: list[tuple[Device, str, float]] = field(default_factory=list)
    away: bool = False

    def push(self, *notifications: Notification) -> None:
        self._fail_if_away()
        self.pushes.extend(notifications)

    def learn(self, changes: Mapping[Device, PushObject]) -> None:
        self._fail_if_away()
        self.learned.extend(changes.items())

    def forget(self, device: Device, token: str, dead_since: float) -> None:
        self._fail_if_away()
        self.forgotten.append((device, token, dead_since))

    def _fail_if_away(self) -> None:
        if self.away:
            raise BusUnavailable("told to be away")


@dataclass
class FixedSettings:
    """Settings: what it was made with, or nothing at all while `away`."""

    rules: tuple[UserAgentRule, ...] = ()
    apps: dict[tuple[str, ProviderName], App] = field(default_factory=dict)
    away: bool = False

    def user_agents(self) -> tuple[UserAgentRule, ...]:
        self._fail_if_away()
        return self.rules

    def app(self, app_id: str, provider: ProviderName, *, own: bool = False) -> App | None:
        self._fail_if_away()
        return self.apps.get((app_id, provider))

    def _fail_if_away(self) -> None:
        if self.away:
            raise DocumentsUnavailable("told to be away")


@dataclass
class ScriptedProvider:
    """Provider: answers with `outcome` and keeps what it was asked to push."""

    outcome: Outcome
    pushed: list[Notification] = field(default_factory=list)

    def push(self, notification: Notification, app: App, deadline: Deadline) -> Outcome:
        self.pushed.append(notification)
        return self.outcome
