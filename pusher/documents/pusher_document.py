"""Changes of the `pusher` document in system_config (facts: kazoo.md 5): what the maintenance commands do to it.

Each change touches its own keys and leaves all others as they are, known to Pusher or not.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pusher.edit import edit
from pusher.errors import DocumentMissing, SettingsInvalid
from pusher.ports import Documents, Saved
from pusher.push.app import ProviderName, TokenKey
from pusher.registration.user_agents import UserAgentRule

DATABASE = "system_config"
DOC_ID = "pusher"
#: Holds the User-Agents, and the settings of all apps that do not have their own.
DEFAULT = "default"
USER_AGENTS = "User-Agents"


def read(documents: Documents) -> dict[str, Any]:
    """Return the document, a new one where there is none. Raises `DocumentsUnavailable`."""
    try:
        return documents.read(DATABASE, DOC_ID)
    except DocumentMissing:
        return {"_id": DOC_ID}


def change(documents: Documents, apply: Callable[[dict[str, Any]], bool | None]) -> Saved | None:
    """Have `apply` change the document in place, and save it; what `apply` raises leaves it unsaved.

    So does False, for nothing to be changed; then None is returned. Raises `DocumentsUnavailable`, and
    `DocumentMissing` where there is no database system_config.
    """

    _, saved = edit(documents, DATABASE, lambda: read(documents), lambda document: apply(document) is not False)
    return saved


def is_app_id(name: str) -> bool:
    """Tell whether key `name` of the document may be an app's: not CouchDB's, not Kazoo's own, not the default.

    Nor is a node of Kazoo's, such as `kazoo_apps@host`. A zone looks like an app; `TypedSettings` knows which is ours.
    """
    return bool(name) and name != DEFAULT and "@" not in name and not name.startswith(("_", "pvt_"))


def set_apple_certificate(document: dict[str, Any], app_id: str, certificate: str, host: str | None = None) -> None:
    """Have `app_id` use a PEM with certificate and private key; without `host`, the host stays what it is."""
    apple = _provider(document, app_id, ProviderName.APPLE)
    apple["certificate"] = certificate
    # A token key goes before a certificate: the one that was there would go on being used.
    apple.pop("token_key", None)
    _set_host(apple, host)


def set_apple_key(document: dict[str, Any], app_id: str, key: TokenKey, host: str | None = None) -> None:
    """Have `app_id` use an authentication key; a certificate stays, for the way back to the Erlang application."""
    apple = _provider(document, app_id, ProviderName.APPLE)
    apple["token_key"] = {"key_id": key.key_id, "team_id": key.team_id, "private_key": key.private_key}
    _set_host(apple, host)


def set_service_account(
    document: dict[str, Any], app_id: str, service_account: Mapping[str, Any] | str, host: str | None = None
) -> None:
    """Have `app_id` use a Google service account, an object or encrypted to a text; a legacy key stays, for the way
    back to the Erlang application.
    """
    firebase = _provider(document, app_id, ProviderName.FIREBASE)
    firebase["service_account"] = service_account if isinstance(service_account, str) else dict(service_account)
    _set_host(firebase, host)


def set_enabled(document: dict[str, Any], app_id: str, enabled: bool) -> None:
    """Turn all pushes to `app_id` on or off. Raises `SettingsInvalid` where the app has no settings of its own."""
    for name in _known_providers(document, app_id):
        document[app_id][name]["enabled"] = enabled


def remove_app(document: dict[str, Any], app_id: str) -> None:
    """Drop what Pusher knows of `app_id`. Raises `SettingsInvalid` where the app has no settings of its own."""
    for name in _known_providers(document, app_id):
        del document[app_id][name]
    if not document[app_id]:
        del document[app_id]


def set_user_agent(document: dict[str, Any], name: str, regex: str, properties: Mapping[str, str]) -> None:
    """Add or change a rule; a changed one keeps its place. Raises `SettingsInvalid` for one that cannot work."""
    UserAgentRule.of(name, regex, properties)
    rule = _object(_object(_object(document, DEFAULT), USER_AGENTS, DEFAULT), name, DEFAULT, USER_AGENTS)
    rule |= {"regex": regex, "properties": dict(properties)}


def remove_user_agent(document: dict[str, Any], name: str) -> None:
    """Drop a rule. Raises `SettingsInvalid` where there is none of that `name`."""
    rules = _object(_object(document, DEFAULT), USER_AGENTS, DEFAULT)
    if name not in rules:
        raise SettingsInvalid(f"{DEFAULT}.{USER_AGENTS}.{name}", "is not known")
    del rules[name]


def _set_host(section: dict[str, Any], host: str | None) -> None:
    if host is not None:
        section["host"] = host


def _provider(document: dict[str, Any], app_id: str, name: ProviderName) -> dict[str, Any]:
    """Return the app's section for a provider, made where it is absent."""
    if not is_app_id(app_id) and app_id != DEFAULT:
        raise SettingsInvalid(app_id, "is not an app id")
    return _object(_object(document, app_id), name, app_id)


def _known_providers(document: dict[str, Any], app_id: str) -> list[str]:
    names = _providers(document.get(app_id)) if is_app_id(app_id) or app_id == DEFAULT else []
    if not names:
        raise SettingsInvalid(app_id, "is not known")
    return names


def _providers(section: object) -> list[str]:
    known = [str(name) for name in ProviderName]
    return [name for name in known if isinstance(section, dict) and isinstance(section.get(name), dict)]


def _object(parent: dict[str, Any], name: str, *path: str) -> dict[str, Any]:
    """Return the object `name` of `parent`, made where it is absent. Raises `SettingsInvalid` for something else."""
    value = parent.setdefault(str(name), {})
    if not isinstance(value, dict):
        raise SettingsInvalid(".".join((*path, name)), "is not an object")
    return value
