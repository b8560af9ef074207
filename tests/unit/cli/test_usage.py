"""Help with an example for every command, and exit statuses and lines that scripts can rely on."""

from collections.abc import Iterator

import click
import pytest

from pusher import __version__
from pusher.cli.main import cli
from tests.unit.cli.running import Pusher


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that does something."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from leaves(each, *path, name)
    else:
        yield path


COMMANDS = list(leaves(cli))


def test_all_commands_are_there() -> None:
    assert {path[0] for path in COMMANDS} == {"listen", "maintenance", "push", "waits", "dead", "check", "demo"}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_that_names_it(pusher: Pusher, path: tuple[str, ...]) -> None:
    said = pusher.done(*path, "--help")
    example = said.partition("Example")[2]
    assert f"pusher {' '.join(path)}" in example
    assert said == pusher.done(*path, "-h")


@pytest.mark.parametrize("group", [(), ("maintenance",), ("waits",), ("dead",)])
def test_every_group_lists_its_commands(pusher: Pusher, group: tuple[str, ...]) -> None:
    said = pusher.done(*group, "--help")
    for path in COMMANDS:
        if path[: len(group)] == group:
            assert f"\n  {path[len(group)]} " in said


def test_version(pusher: Pusher) -> None:
    assert pusher.done("--version") == f"pusher, version {__version__}\n"


@pytest.mark.parametrize(
    "args",
    [
        ("no-such-command",),
        ("maintenance", "no-such-command"),
        ("maintenance", "add-apple-app", "org.example.app"),
        ("maintenance", "list-apps", "too", "many"),
        ("maintenance", "add-user-agent", "Linphone", "^Linphone"),
        ("maintenance", "add-user-agent", "Linphone", "^Linphone", "Token-ID"),
        ("maintenance", "add-user-agent", "Linphone", "^Linphone", "=pn-tok"),
        ("waits", "list", "--no-such-option"),
        ("dead", "requeue"),
        ("dead", "requeue", "--all", "3f2a90c1d4"),
        ("push", "0011223344556677889900aabbccddee"),
        ("demo", "--calls", "0"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(pusher: Pusher, args: tuple[str, ...]) -> None:
    result = pusher(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert result.stdout == ""


#: Values that no process can work with, and what is said about them after the variable's name.
BAD = {
    "PUSHER_BUS_URL": ("redis://127.0.0.1", "must start with amqp://"),
    "PUSHER_BROKER_URL": ("amqp://", "names no host"),
    "PUSHER_REDIS_URL": ("redis://127.0.0.1/0?no_such_option=1", "has an option that Redis does not know"),
    "PUSHER_DOCUMENTS_URL": ("sqlite://", "must be sqlite:///relative.db"),
    "PUSHER_WAKE_WINDOW_S": ("soon", "is not a number of seconds"),
    "PUSHER_CA_FILE": ("/no/such/file", "is not a readable file"),
    "PUSHER_PROXY_URL": ("socks5://127.0.0.1", "must start with http://"),
    "PUSHER_LOG_FORMAT": ("xml", "must be one of text, json"),
    "PUSHER_LOG_LEVEL": ("loud", "must be one of"),
}
#: Commands that need settings, with arguments that would do.
NEED_SETTINGS = [
    ("listen",),
    ("push", "0" * 32, "d1"),
    ("waits", "list"),
    ("check",),
    ("maintenance", "list-apps"),
    ("maintenance", "enable-app", "org.example.app"),
]


@pytest.mark.parametrize("args", NEED_SETTINGS, ids=" ".join)
@pytest.mark.parametrize("variable", BAD)
def test_a_bad_variable_ends_every_command_with_a_line_that_names_it(
    pusher: Pusher, variable: str, args: tuple[str, ...]
) -> None:
    value, problem = BAD[variable]
    assert pusher.fails(*args, env={variable: value}).startswith(f"{variable}: {problem}")


@pytest.mark.parametrize("args", [("dead", "list"), ("dead", "show", "x"), ("dead", "requeue", "--all")], ids=" ".join)
def test_a_bad_bus_ends_the_commands_about_dead_letters_too(pusher: Pusher, args: tuple[str, ...]) -> None:
    assert pusher.fails(*args, env={"PUSHER_BUS_URL": "127.0.0.1"}).startswith("PUSHER_BUS_URL: ")


def test_a_password_in_a_bad_url_is_not_said(pusher: Pusher) -> None:
    for variable in ("PUSHER_BUS_URL", "PUSHER_REDIS_URL", "PUSHER_DOCUMENTS_URL", "PUSHER_PROXY_URL"):
        for url in ("ftp://user:geheim@host", "http://user:gehe/im@host", "amqp://user:geheim@a..b"):
            assert "gehe" not in pusher.fails("check", env={variable: url})


@pytest.mark.parametrize(
    ("account_id", "device_id", "name"),
    [("acme", "d1", "Account-ID"), ("0" * 32, "../d1", "Authorizing-ID"), ("A" * 32, "d1", "Account-ID")],
)
def test_a_device_that_cannot_be_is_one_line(pusher: Pusher, account_id: str, device_id: str, name: str) -> None:
    assert pusher.fails("push", account_id, device_id).startswith(f"{name}: ")


def test_an_error_stays_one_line_whatever_it_is_about(pusher: Pusher) -> None:
    assert pusher.fails("maintenance", "show-app", "a\nError: b\x1b[2J") == (
        "a\\nError: b\\x1b[2J: is not known: see pusher maintenance list-apps"
    )


def test_a_documents_file_that_cannot_be_used_is_one_line(pusher: Pusher) -> None:
    (pusher.folder / "no-database").write_text("x" * 5000)
    for name in ("missing/pusher.db", ".", "no-database"):
        url = f"sqlite:///{pusher.folder}/{name}"
        for args in (("maintenance", "list-apps"), ("maintenance", "remove-user-agent", "x"), ("push", "0" * 32, "d1")):
            assert str(pusher.folder) in pusher.fails(*args, env={"PUSHER_DOCUMENTS_URL": url})
