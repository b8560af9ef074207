"""What flows need from the world: small protocols, implemented by the edges and handed in by `wiring.py`.

Any method may raise the errors its docstring names and no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pusher.clock import Deadline
from pusher.messages.document_change import DocumentChange
from pusher.messages.push_response import PushResponse
from pusher.push.app import App, ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import Outcome
from pusher.push.wait import Wait
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from pusher.registration.user_agents import UserAgentRule


@dataclass(frozen=True, slots=True, kw_only=True)
class AwakePhone:
    """A phone that registered, as far as its registration says."""

    #: Its push token.
    token: str | None = field(repr=False)
    #: The token that let the REGISTER in.
    registration_token: str | None = field(repr=False)
    device: Device | None
    #: Digest of its push object, where it is to be learned.
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What Redis knows when a phone registers."""

    #: The calls that waited for it; they are claimed: nobody else gets them.
    waits: tuple[Wait, ...]
    #: Digest of the push object that was written for the device, or is being written; None where unknown.
    learned: str | None


class Waits(Protocol):
    """Calls that wait for a phone. Every method may raise `StoreUnavailable`."""

    def add(self, *waits: Wait) -> None:
        """Remember each until it is claimed or its deadline passes. Adding it twice is adding it once."""

    def claim(self, wait: Wait) -> bool:
        """Take `wait` away; True for exactly one caller, False when it was claimed before or its deadline passed.

        True as well where the store has lost its memory since the call arrived: perhaps nobody else can answer it.
        """

    def arrive(self, *phones: AwakePhone) -> list[Arrival]:
        """Claim for each phone all that waits for its tokens, and for the one in its device's document, if it still is
        its own.

        Where `device` and `digest` are known, `device` is from now on the owner of `token`, and the push object with
        `digest` its latest. One round trip for all, unless another token than `token` leads to calls.
        """

    def waiting(self) -> list[Wait]:
        """Return what waits now, the earliest deadline first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOwner:
    """Whose token it is, and since when we know."""

    device: Device
    #: Epoch seconds of the device's last registration with this token.
    registered_at: float


class Tokens(Protocol):
    """Whose token, and what was learned. Every method may raise `StoreUnavailable`."""

    def owner(self, token: str) -> TokenOwner | None:
        """Return who registered `token` last, None where nobody is known."""

    def latest(self, device: Device) -> str | None:
        """Return the digest of the push object the device registered with last, None where unknown."""

    def mark_queued(self, device: Device, digest: str) -> None:
        """Remember for ten minutes that the push object with `digest` is being written, if it still is the latest."""

    def mark_learned(self, device: Device, digest: str, *, token: str | None, for_s: float) -> None:
        """Remember that the document holds `token`, unless that is None, and for `for_s` seconds that the push object
        with `digest`, which was marked as queued before, needs no writing.

        Where another push object is the latest by now, or the mark was taken away, the device is looked at again when
        it registers: this one may have been written over a newer one, or been overwritten.
        """

    def unmark(self, device: Device) -> None:
        """Have the device looked at again when it registers."""

    def forget(self, token: str, device: Device) -> None:
        """Drop what is remembered about a dead `token` and about its device's push object."""


class Sent(Protocol):
    """Pushes that a provider accepted. Every method may raise `StoreUnavailable`."""

    def mark(self, push_id: str, expires_at: float) -> None:
        """Remember that the push was accepted, until some minutes after epoch seconds `expires_at`."""

    def accepted(self, push_id: str) -> bool:
        """Tell whether the push was accepted before."""


class SharedTokens(Protocol):
    """Provider tokens (JWTs, OAuth access tokens) that all processes share. May raise `StoreUnavailable`."""

    def get(self, name: str) -> tuple[str, float] | None:
        """Return the secret and the epoch seconds when it was issued, None where there is none."""

    def put(self, name: str, secret: str, *, issued_at: float, expires_at: float) -> None:
        """Share `secret` until epoch seconds `expires_at`."""

    def try_lock(self, name: str, seconds: float) -> bool:
        """Become the one process that renews `name`, for at most `seconds`; False when another one is."""


class Provider(Protocol):
    """A push service. No method raises anything."""

    def push(self, notification: Notification, app: App, deadline: Deadline) -> Outcome:
        """Send once and return what the answer means, at the latest when `deadline` passes."""

    def warm(self, app: App, deadline: Deadline) -> bool:
        """Have a connection and a token at hand for `app`, so that its next push waits for neither.

        Returns False while a connection is being made, or where something cannot be had.
        """


class Settings(Protocol):
    """The `pusher` document of system_config, cached. Raises `DocumentsUnavailable` while nothing was ever read."""

    def user_agents(self) -> tuple[UserAgentRule, ...]:
        """Return the rules in document order."""

    def app(self, app_id: str, provider: ProviderName, *, own: bool = False) -> App | None:
        """Return the app's settings for `provider`, None where neither app nor default knows it.

        With `own`, None also where only default does.
        """


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did."""

    rev: str
    created: bool


class Documents(Protocol):
    """JSON documents with CouchDB's revisions. Every method may raise `DocumentsUnavailable`."""

    #: Whether a device's document that does not exist is ours to create (the embedded store, which nobody else fills).
    creates_devices: bool

    def read(self, database: str, doc_id: str) -> dict[str, Any]:
        """Return the document with `_id` and `_rev`. Raises `DocumentMissing`."""

    def save(self, database: str, document: Mapping[str, Any]) -> Saved:
        """Save; `_rev` must be the one read, absent for a new one. Raises `DocumentConflict`, `DocumentMissing`."""


class Enqueue(Protocol):
    """Work for the workers; returns when the broker has it. Every method may raise `BusUnavailable`."""

    def push(self, *notifications: Notification) -> None:
        """Have the pushes delivered."""

    def learn(self, changes: Mapping[Device, PushObject]) -> None:
        """Have the devices' push objects written."""

    def forget(self, device: Device, token: str, dead_since: float) -> None:
        """Have the device's push object cleared, if it still holds `token`."""


class Announce(Protocol):
    """What Pusher says on Kazoo's bus; returns when the broker has it. May raise `BusUnavailable`."""

    def respond(self, *responses: PushResponse) -> None:
        """Answer waiting proxies."""

    def document_changed(self, change: DocumentChange) -> None:
        """Tell that a document changed."""
