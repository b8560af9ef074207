"""The `pusher` document as typed values: which setting counts, at which level, what is skipped (facts: kazoo.md 5).

A part that cannot be used is named in the log, never quoted, and disables nothing but itself.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar, assert_never

from pusher.documents.pusher_document import DEFAULT, USER_AGENTS, is_app_id
from pusher.documents.sealed import NO_KEYS, SecretKeys, is_sealed
from pusher.errors import CredentialInvalid, SettingsInvalid
from pusher.logs import event
from pusher.push.app import App, AppleApp, FirebaseApp, ProviderName, TokenKey
from pusher.registration.user_agents import UserAgentRule

log = logging.getLogger("pusher.documents")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedSettings:
    """All that Pusher wants to know of the document."""

    #: In document order.
    user_agents: tuple[UserAgentRule, ...]
    #: What the document says of its apps, and under `default` of all others.
    apps: Mapping[tuple[str, ProviderName], App]
    #: What cannot be used and counts as absent.
    skipped: tuple[SettingsInvalid, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any], zone: str | None, keys: SecretKeys = NO_KEYS) -> Self:
        """Return what `document` says to processes in `zone`, where zones are used; `keys` decrypt its credentials."""
        reader = _Reader(document, (DEFAULT,) if zone is None else (zone, DEFAULT), keys)
        apps = {}
        for name in [DEFAULT, *(name for name in document if is_app_id(name) and name != zone)]:
            for provider in ProviderName:
                app = reader.app(name, provider)
                if app is not None:
                    apps[name, provider] = app
        rules = tuple(reader.user_agents())
        return cls(user_agents=rules, apps=apps, skipped=tuple(reader.skipped.values()))

    def app(self, app_id: str, provider: ProviderName, *, own: bool = False) -> App | None:
        """Return the app's settings for `provider`, None where neither app nor default (unless `own`) knows it."""
        app = self.apps.get((app_id, provider))
        if own:
            return app
        default = self.apps.get((DEFAULT, provider))
        if app is None and default is not None:
            return replace(default, app_id=app_id)
        return app


@dataclass(frozen=True, slots=True)
class _Section:
    """The settings of one provider at one level."""

    path: str
    values: Mapping[str, Any] = field(repr=False)


class _Reader:
    """Looks settings up, and tells once of each that it skips."""

    def __init__(self, document: Mapping[str, Any], shared_levels: Sequence[str], keys: SecretKeys) -> None:
        self._document = document
        self._keys = keys
        #: Where a setting is looked for after the app's own level.
        self._shared_levels = shared_levels
        #: What was skipped so far, by its path.
        self.skipped: dict[str, SettingsInvalid] = {}
        #: The paths of credentials that could not be decrypted.
        self._unreadable: set[str] = set()

    def app(self, app_id: str, provider: ProviderName) -> App | None:
        """Return what `app_id` and the shared levels say about it, None where its own level does not know the provider.

        `default` stands for the shared levels alone.
        """
        shared = self._sections(self._shared_levels, provider)
        own = shared if app_id == DEFAULT else self._sections((app_id,), provider)
        if not own:
            return None
        sections = [*own, *shared]
        match provider:
            case ProviderName.APPLE:
                return self._apple(app_id, sections)
            case ProviderName.FIREBASE:
                return self._firebase(app_id, sections)
            case _:
                assert_never(provider)

    def user_agents(self) -> Iterator[UserAgentRule]:
        """Yield the rules of the first shared level that has any, in document order."""
        found = (
            self._object(self._object(self._document, level, level), USER_AGENTS, f"{level}.{USER_AGENTS}")
            for level in self._shared_levels
        )
        entries = next((entries for entries in found if entries is not None), {})
        for name in entries:
            entry = self._object(entries, name, f"{USER_AGENTS}.{name}")
            if entry is not None:
                try:
                    yield UserAgentRule.of(name, entry.get("regex"), entry.get("properties"))
                except SettingsInvalid as problem:
                    self._skip(problem)

    def _apple(self, app_id: str, sections: list[_Section]) -> AppleApp:
        # Looked for together: a key of the default must not outrank the app's own certificate.
        certificate, token_key, unreadable = None, None, None
        for section in sections:
            certificate, shut = self._credential(section, "certificate", self._certificate)
            token_key, key_shut = self._credential(section, "token_key", self._token_key)
            unreadable = key_shut or shut
            if certificate is not None or token_key is not None or unreadable is not None:
                break
        found = {
            "enabled": self._first(sections, "enabled", _flag),
            "host": self._first(sections, "host", _text),
            "certificate": certificate,
            "token_key": token_key,
            "topic": self._first(sections, "apns_topic", _text),
            "push_type": self._first(sections, "push_type", _text),
            "headers": self._first(sections, "headers", _headers),
            "unreadable": unreadable,
        }
        return AppleApp(app_id=app_id, **_given(found))

    def _firebase(self, app_id: str, sections: list[_Section]) -> FirebaseApp:
        account, unreadable = None, None
        for section in sections:
            account, unreadable = self._credential(section, "service_account", self._service_account)
            if account is not None or unreadable is not None:
                break
        found = {
            "enabled": self._first(sections, "enabled", _flag),
            "host": self._first(sections, "host", _text),
            "service_account": account,
            "api_key": self._first(sections, "api_key", _text),
            "unreadable": unreadable,
        }
        return FirebaseApp(app_id=app_id, **_given(found))

    def _sections(self, levels: Sequence[str], provider: ProviderName) -> list[_Section]:
        paths = {level: f"{level}.{provider}" for level in levels}
        found = {
            path: self._object(self._object(self._document, level, level), provider, path)
            for level, path in paths.items()
        }
        return [_Section(path, values) for path, values in found.items() if values is not None]

    def _first(self, sections: Sequence[_Section], name: str, read: Callable[[object, str], T]) -> T | None:
        """Return setting `name` of the first section that has it in a form that `read` accepts."""
        for section in sections:
            value = section.values.get(name)
            # To Kazoo, an empty text is no setting.
            if value is not None and value != "":
                try:
                    return read(value, f"{section.path}.{name}")
                except SettingsInvalid as problem:
                    self._skip(problem)
        return None

    def _credential(
        self, section: _Section, name: str, read: Callable[[object, str], T]
    ) -> tuple[T | None, str | None]:
        """Return credential `name` of the section, and why it is not there if it cannot be decrypted.

        Then no other level takes its place: what Apple or Google thought of a push with another app's credential
        would hide what is wrong.
        """
        try:
            return self._first([section], name, read), None
        except CredentialInvalid as error:
            path, problem = f"{section.path}.{name}", str(error)
            # What stands at a shared level is looked at for every app.
            if path not in self._unreadable:
                self._unreadable.add(path)
                event(log, logging.WARNING, "credential cannot be decrypted", setting=path, problem=problem)
            return None, problem

    def _certificate(self, value: object, path: str) -> str:
        return self._keys.unseal(_text(value, path))

    def _token_key(self, value: object, path: str) -> TokenKey:
        key = _token_key(value, path)
        return replace(key, private_key=self._keys.unseal(key.private_key))

    def _service_account(self, value: object, path: str) -> dict[str, str]:
        return _texts(self._keys.unseal_object(value) if is_sealed(value) else value, path)

    def _object(self, parent: Mapping[str, Any] | None, name: str, path: str) -> Mapping[str, Any] | None:
        value = None if parent is None else parent.get(name)
        if value is None or isinstance(value, Mapping):
            return value
        self._skip(SettingsInvalid(path, "is not an object"))
        return None

    def _skip(self, problem: SettingsInvalid) -> None:
        # What stands at a shared level is looked at for every app.
        if problem.name not in self.skipped:
            self.skipped[problem.name] = problem
            event(log, logging.WARNING, "setting skipped", setting=problem.name, problem=problem.problem)


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise SettingsInvalid(path, "is not a text")
    return value


def _flag(value: object, path: str) -> bool:
    # Kazoo's own tools write either.
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise SettingsInvalid(path, "is neither true nor false")


def _headers(value: object, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(v, str | int) for v in value.values()):
        raise SettingsInvalid(path, "does not map names to texts")
    return {name: str(v) for name, v in value.items()}


def _texts(value: object, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise SettingsInvalid(path, "is not an object")
    return {name: v for name, v in value.items() if isinstance(v, str)}


def _token_key(value: object, path: str) -> TokenKey:
    fields = _texts(value, path)
    names = ("key_id", "team_id", "private_key")
    if not all(fields.get(name) for name in names):
        raise SettingsInvalid(path, f"needs {', '.join(names)}")
    return TokenKey(**{name: fields[name] for name in names})


def _given(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}
