"""Process settings: the environment, read once, checked completely, secrets hidden (docs/reference/settings.md)."""

import base64
import logging
import math
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from pusher.errors import SettingsInvalid

DEFAULT_BUS_URL = "amqp://guest:guest@127.0.0.1:5672//"

_SCHEMES = {
    "PUSHER_BUS_URL": ("amqp", "amqps", "memory"),
    "PUSHER_BROKER_URL": ("amqp", "amqps", "memory"),
    "PUSHER_REDIS_URL": ("redis", "rediss", "unix"),
    "PUSHER_DOCUMENTS_URL": ("http", "https", "sqlite"),
    "PUSHER_PROXY_URL": ("http",),
}

_ZONE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
#: 32 bytes in the base64 of URLs.
_SECRET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


def broker_url(environment: Mapping[str, str]) -> str:
    """Return Celery's broker: its own URL, else the bus'."""
    return environment.get("PUSHER_BROKER_URL") or environment.get("PUSHER_BUS_URL") or DEFAULT_BUS_URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one process was told; the URLs may hold passwords and stay out of the repr."""

    #: Kazoo's AMQP broker.
    bus_url: str = field(default=DEFAULT_BUS_URL, repr=False)
    #: Celery's broker.
    broker_url: str = field(default=DEFAULT_BUS_URL, repr=False)
    redis_url: str = field(default="redis://127.0.0.1:6379/0", repr=False)
    #: CouchDB, or an embedded SQLite file.
    documents_url: str = field(default="sqlite:///pusher.db", repr=False)
    #: Kazoo's zone of this process, where the installation has zones.
    zone: str | None = None
    #: Seconds a push is worth sending, counted from its arrival.
    wake_window_s: float = 20.0
    #: PEM file of more certificate authorities for every TLS connection.
    ca_file: str | None = None
    #: HTTP proxy (CONNECT) for provider connections.
    proxy_url: str | None = field(default=None, repr=False)
    #: For credentials in the `pusher` document: the first one encrypts, all decrypt. Without any, they are saved plain.
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    #: `text` or `json`.
    log_format: str = "text"
    #: A level of the standard library's logging.
    log_level: str = "INFO"
    #: `pusher@<host>`: how this process signs what it says on the bus.
    node: str = "pusher@localhost"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the settings in `environment`; empty means absent. Raises `SettingsInvalid` naming the variable."""
        given = {name: value for name, value in environment.items() if name.startswith("PUSHER_") and value}
        defaults = cls()
        return cls(
            bus_url=_url(given, "PUSHER_BUS_URL", defaults.bus_url),
            broker_url=_url(given, "PUSHER_BROKER_URL", broker_url(given)),
            redis_url=_url(given, "PUSHER_REDIS_URL", defaults.redis_url),
            documents_url=_url(given, "PUSHER_DOCUMENTS_URL", defaults.documents_url),
            zone=_zone(given, "PUSHER_ZONE"),
            wake_window_s=_seconds(given, "PUSHER_WAKE_WINDOW_S", defaults.wake_window_s),
            ca_file=_file(given, "PUSHER_CA_FILE"),
            proxy_url=_url(given, "PUSHER_PROXY_URL", "") or None,
            secret_keys=_secret_keys(given, "PUSHER_SECRET_KEY"),
            log_format=_choice(given, "PUSHER_LOG_FORMAT", defaults.log_format, ("text", "json")),
            log_level=_choice(
                {name: value.upper() for name, value in given.items()},
                "PUSHER_LOG_LEVEL",
                defaults.log_level,
                tuple(logging.getLevelNamesMapping()),
            ),
            node=f"pusher@{socket.gethostname()}",
        )


def _url(given: Mapping[str, str], name: str, default: str) -> str:
    value = given.get(name, default)
    if not value:
        return value
    try:
        parts = urlsplit(value)
        _ = parts.port
        # A name that no resolver could be asked for, such as `a..b`, would end the thread that connects.
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise SettingsInvalid(name, "is not a URL") from error
    if parts.scheme not in _SCHEMES[name]:
        raise SettingsInvalid(name, f"must start with {' or '.join(s + '://' for s in _SCHEMES[name])}")
    if parts.scheme not in ("memory", "sqlite", "unix") and not parts.hostname:
        raise SettingsInvalid(name, "names no host")
    if parts.scheme in ("amqp", "amqps") and (parts.query or parts.fragment):
        raise SettingsInvalid(name, "takes no options: in a password, ? is written %3F and # is written %23")
    return value


def _zone(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name)
    # It must not be mistaken for a key of the pusher document that is something else.
    if value is not None and (not _ZONE.fullmatch(value) or value == "default" or value.startswith("pvt_")):
        raise SettingsInvalid(name, "is not a zone: letters, digits, _, . and -, and not default")
    return value


def _seconds(given: Mapping[str, str], name: str, default: float) -> float:
    if name not in given:
        return default
    try:
        value = float(given[name])
    except ValueError as error:
        raise SettingsInvalid(name, "is not a number of seconds") from error
    if not (math.isfinite(value) and 1 <= value <= 3600):
        raise SettingsInvalid(name, "must be between 1 and 3600 seconds")
    return value


def _file(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name)
    # Path.is_file would raise for a name that is too long, or that lies behind a locked folder.
    if value is not None and not (os.path.isfile(value) and os.access(value, os.R_OK)):
        raise SettingsInvalid(name, "is not a readable file")
    return value


def _secret_keys(given: Mapping[str, str], name: str) -> tuple[str, ...]:
    if name not in given:
        return ()
    keys = tuple(key for key in re.split(r"[,\s]+", given[name]) if key)
    if not keys:
        raise SettingsInvalid(name, "holds no key")
    for number, key in enumerate(keys, start=1):
        # One key in two spellings would have two names.
        if not _SECRET_KEY.fullmatch(key) or base64.urlsafe_b64encode(base64.urlsafe_b64decode(key)) != key.encode():
            which = "its value" if len(keys) == 1 else f"number {number} of its {len(keys)} values"
            raise SettingsInvalid(name, f"{which} is not a key as pusher maintenance make-secret-key prints it")
    return keys


def _choice(given: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = given.get(name, default)
    if value not in choices:
        raise SettingsInvalid(name, f"must be one of {', '.join(choices)}")
    return value
