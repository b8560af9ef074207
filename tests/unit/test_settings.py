"""The environment is checked completely: every variable has a default, good values, and bad ones that name it."""

import dataclasses
import os
from pathlib import Path

import pytest

from pusher.errors import SettingsInvalid
from pusher.settings import DEFAULT_BUS_URL, Settings, broker_url

FIELDS = {
    "PUSHER_BUS_URL": "bus_url",
    "PUSHER_BROKER_URL": "broker_url",
    "PUSHER_REDIS_URL": "redis_url",
    "PUSHER_DOCUMENTS_URL": "documents_url",
    "PUSHER_ZONE": "zone",
    "PUSHER_WAKE_WINDOW_S": "wake_window_s",
    "PUSHER_CA_FILE": "ca_file",
    "PUSHER_PROXY_URL": "proxy_url",
    "PUSHER_SECRET_KEY": "secret_keys",
    "PUSHER_LOG_FORMAT": "log_format",
    "PUSHER_LOG_LEVEL": "log_level",
}
DEFAULTS = {
    "PUSHER_BUS_URL": "amqp://guest:guest@127.0.0.1:5672//",
    "PUSHER_BROKER_URL": "amqp://guest:guest@127.0.0.1:5672//",
    "PUSHER_REDIS_URL": "redis://127.0.0.1:6379/0",
    "PUSHER_DOCUMENTS_URL": "sqlite:///pusher.db",
    "PUSHER_ZONE": None,
    "PUSHER_WAKE_WINDOW_S": 20.0,
    "PUSHER_CA_FILE": None,
    "PUSHER_PROXY_URL": None,
    "PUSHER_SECRET_KEY": (),
    "PUSHER_LOG_FORMAT": "text",
    "PUSHER_LOG_LEVEL": "INFO",
}
SECRET_KEY, OTHER_KEY = "FZ-o_" + "A" * 37 + "E=", "B" * 42 + "A="
AMQP = ("amqp://h", "amqps://u:p%3F%23@h:5671/vhost", "amqp://[::1]:5672//", "amqp://kazoo_broker", "memory://x//")
GOOD = {
    "PUSHER_BUS_URL": AMQP,
    "PUSHER_BROKER_URL": AMQP,
    "PUSHER_REDIS_URL": ("redis://h", "rediss://:p@h:6380/3?socket_timeout=1", "unix:///run/redis.sock"),
    "PUSHER_DOCUMENTS_URL": ("http://u:p@h:5984", "https://h", "sqlite:////var/lib/pusher.db"),
    "PUSHER_ZONE": ("local", "us-east_1.b"),
    "PUSHER_WAKE_WINDOW_S": ("1", "3600", "7.5"),
    "PUSHER_CA_FILE": (__file__,),
    "PUSHER_PROXY_URL": ("http://u:p@proxy:3128",),
    "PUSHER_SECRET_KEY": (SECRET_KEY, f"{SECRET_KEY},{OTHER_KEY}", f" {SECRET_KEY} ,\n{OTHER_KEY}\t"),
    "PUSHER_LOG_FORMAT": ("json", "text"),
    "PUSHER_LOG_LEVEL": ("DEBUG", "WARNING", "CRITICAL"),
}
NO_AMQP = (
    "localhost",
    "redis://h",
    "amqp://",
    "amqp://h:port",
    "amqp://h:99999",
    "amqp://[::1",
    "amqp://u:pa/ss@h",
    "amqp://u:pa#ss@h",
    "amqp://h//?heartbeat=x",
    "amqp://h//#fragment",
    "amqp://a..b",
    f"amqp://{'x' * 64}",
    " ",
)
BAD = {
    "PUSHER_BUS_URL": NO_AMQP,
    "PUSHER_BROKER_URL": NO_AMQP,
    "PUSHER_REDIS_URL": ("h:6379", "http://h", "redis://", "redis://:pa#ss@h", "redis://h:x"),
    "PUSHER_DOCUMENTS_URL": ("pusher.db", "ftp://h", "http://", "https://h:0x1"),
    "PUSHER_ZONE": ("default", "_rev", "pvt_type", "a b", "node@host", " ", "zone\n", "z" * 129),
    "PUSHER_WAKE_WINDOW_S": ("soon", "0", "0.99", "-20", "3600.1", "nan", "inf", "-inf", "1e400", "20s", " "),
    "PUSHER_CA_FILE": ("/no/such/file", os.path.dirname(__file__), "x" * 5000, "\0"),
    "PUSHER_PROXY_URL": ("proxy:3128", "https://proxy", "socks5://proxy", "http://", "http://proxy:x"),
    "PUSHER_SECRET_KEY": (
        *(" ", ",", "geheim", SECRET_KEY[:-1], SECRET_KEY[1:], f"{SECRET_KEY}=", SECRET_KEY + OTHER_KEY),
        # 31 and 33 bytes, the other alphabet, letters that are none of its, a key in another spelling.
        *("A" * 41 + "=", "A" * 44, "+" + SECRET_KEY[1:], "é" + SECRET_KEY[1:], SECRET_KEY[:-2] + "F="),
        f"{SECRET_KEY},geheim",
        f"{SECRET_KEY};{OTHER_KEY}",
    ),
    "PUSHER_LOG_FORMAT": ("xml", "JSON", "text "),
    "PUSHER_LOG_LEVEL": ("loud", "20", "INFO "),
}


def test_there_is_a_default_for_every_variable() -> None:
    settings = Settings.from_environment({})
    assert {name: getattr(settings, field) for name, field in FIELDS.items()} == DEFAULTS
    assert settings == dataclasses.replace(Settings(), node=settings.node)


@pytest.mark.parametrize("name", FIELDS)
def test_an_empty_variable_is_an_absent_one(name: str) -> None:
    assert Settings.from_environment({name: ""}) == Settings.from_environment({})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_good_values(name: str, value: str) -> None:
    settings = Settings.from_environment({name: value})
    meant = {"PUSHER_WAKE_WINDOW_S": float, "PUSHER_SECRET_KEY": lambda keys: tuple(keys.replace(",", " ").split())}
    assert getattr(settings, FIELDS[name]) == meant.get(name, str)(value)
    untouched = set(FIELDS) - {name, "PUSHER_BROKER_URL"}
    assert all(getattr(settings, FIELDS[other]) == DEFAULTS[other] for other in untouched)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_values_are_told_by_the_name_of_their_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        Settings.from_environment({name: value})
    assert refused.value.name == name
    assert str(refused.value) == f"{name}: {refused.value.problem}"
    assert "\n" not in str(refused.value)
    if name == "PUSHER_SECRET_KEY":
        assert not [secret for secret in (SECRET_KEY[2:-4], OTHER_KEY[2:-4], "geheim") if secret in str(refused.value)]


def test_an_unreadable_file_of_authorities_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("")
    # Root may read everything, so the kernel's answer is put in its mouth.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)
    with pytest.raises(SettingsInvalid, match="PUSHER_CA_FILE: is not a readable file"):
        Settings.from_environment({"PUSHER_CA_FILE": str(path)})


def test_the_level_may_be_written_small() -> None:
    assert Settings.from_environment({"PUSHER_LOG_LEVEL": "debug"}).log_level == "DEBUG"


def test_celery_uses_the_bus_unless_it_has_a_broker_of_its_own() -> None:
    bus, broker = {"PUSHER_BUS_URL": "amqp://bus"}, {"PUSHER_BROKER_URL": "amqp://broker"}
    for environment, url in (
        ({}, DEFAULT_BUS_URL),
        (bus, "amqp://bus"),
        (broker, "amqp://broker"),
        (bus | broker, "amqp://broker"),
        (bus | {"PUSHER_BROKER_URL": ""}, "amqp://bus"),
    ):
        assert Settings.from_environment(environment).broker_url == broker_url(environment) == url


def test_a_bad_bus_is_told_as_the_bus_though_celery_would_use_it_too() -> None:
    with pytest.raises(SettingsInvalid, match=r"^PUSHER_BUS_URL: "):
        Settings.from_environment({"PUSHER_BUS_URL": "nonsense"})


def test_passwords_are_not_in_the_repr_and_not_in_errors() -> None:
    secret = dict.fromkeys(("PUSHER_BUS_URL", "PUSHER_BROKER_URL"), "amqp://user:geheim@h") | {
        "PUSHER_REDIS_URL": "redis://:geheim@h",
        "PUSHER_DOCUMENTS_URL": "http://user:geheim@h",
        "PUSHER_PROXY_URL": "http://user:geheim@h",
    }
    assert "geheim" not in repr(Settings.from_environment(secret))
    for name in secret:
        for url in ("x://user:geheim@h", "http://u:geheim@[", "amqp://u:gehe#im@h:x"):
            with pytest.raises(SettingsInvalid) as refused:
                Settings.from_environment({name: url})
            assert "gehe" not in str(refused.value)


def test_variables_of_others_are_ignored() -> None:
    assert Settings.from_environment({"BUS_URL": "nonsense", "PUSHER_OTHER": "x"}) == Settings.from_environment({})


def test_the_process_environment_is_read_when_asked_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHER_WAKE_WINDOW_S", "33")
    assert Settings.from_environment().wake_window_s == 33.0


def test_a_process_signs_with_its_host() -> None:
    name, at, host = Settings.from_environment({}).node.partition("@")
    assert (name, at) == ("pusher", "@")
    assert host
