"""Holds the documentation to the code: variables, keys, reasons, events, errors, commands and links."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from pusher.push.outcome import FailureReason
from pusher.registration.device import Device
from pusher.registration.rfc8599 import RefusalReason
from pusher.stores import keys

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md")])
SOURCES = sorted([*ROOT.glob("pusher/**/*.py"), *ROOT.glob("tasks/*.py")])

_VARIABLE = re.compile(r"PUSHER_[A-Z]+(?:_[A-Z]+)*")
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text(path: str) -> str:
    return (ROOT / path).read_text()


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", page.read_text())


def first_column(page: str, section: str) -> set[str]:
    """The code in the first cells of the tables below heading `section`, of all tables where it is empty."""
    body = text(page)
    if section:
        body = body.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return {code for cell in re.findall(r"^\| ([^|]+) \|", body, re.MULTILINE) for code in _CODE.findall(cell)}


def test_every_variable_of_the_environment_is_described_and_no_other() -> None:
    assert first_column("docs/reference/settings.md", "") == set(_VARIABLE.findall(text("pusher/settings.py")))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_names_variables_that_exist(page: Path) -> None:
    assert set(_VARIABLE.findall(page.read_text())) <= set(_VARIABLE.findall(text("pusher/settings.py")))


def test_every_redis_key_is_described_and_no_other() -> None:
    described = {re.escape(key) for key in first_column("docs/reference/redis-keys.md", "")}
    patterns = {re.sub(r"<[^>]+>", ".+", key.replace(r"\ ", " ")) for key in described}
    device = Device(account_id="0" * 32, device_id="d")
    made = {keys.DEADLINES, keys.SINCE, keys.token(device), keys.latest(device), keys.learned(device)} | {
        make("x")
        for make in (keys.waits, keys.registration, keys.owner, keys.sent, keys.shared, keys.shared_lock, keys.check)
    }
    functions = [node for node in tree(ROOT / "pusher/stores/keys.py").body if isinstance(node, ast.FunctionDef)]
    assert len(made) == len(functions) + 2 == len(patterns)
    assert all(any(re.fullmatch(pattern, key) for pattern in patterns) for key in made)
    assert all(any(re.fullmatch(pattern, key) for key in made) for pattern in patterns)


def test_every_push_reason_is_described_and_no_other() -> None:
    assert first_column("docs/operating.md", "Push-Reason") == {str(reason) for reason in FailureReason}


def test_every_reason_not_to_learn_a_phone_is_described_and_no_other() -> None:
    assert first_column("docs/operating.md", "Phones that are not learned") == {str(reason) for reason in RefusalReason}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def calls(names: set[str]) -> Iterator[ast.Call]:
    """Every call in our sources of a function or method with one of `names`."""
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
                if name in names:
                    yield node


def texts(node: ast.AST) -> Iterator[str]:
    """The texts that an argument may be: itself, the branches of a choice, the fixed parts of an f-string."""
    match node:
        case ast.Constant(value=str(value)):
            yield value
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.JoinedStr(values=values):
            for value in values:
                yield from texts(value)


def logged_events() -> set[str]:
    found = {
        message
        for call in calls({"event", "_tell", "_warn", "exception"})
        for argument in call.args
        for message in texts(argument)
    }
    # The settings' own wrapper hands on an error and names its event itself.
    return {message for message in found if " " in message or message == "consuming"}


def test_every_event_of_the_log_is_described_and_no_other() -> None:
    assert first_column("docs/operating.md", "Following a call") == logged_events()


def test_every_complaint_about_a_credential_is_described() -> None:
    page = " ".join(text("docs/certificates.md").split())
    complaints = [call.args[0] for call in calls({"CredentialInvalid"})]
    # One that is kept and raised again has no text of its own.
    written = [first for complaint in complaints if (first := next(texts(complaint), None)) is not None]
    beginnings = {re.split(r"[:;,]", complaint)[0].strip() for complaint in written}
    assert len(beginnings) > 20
    assert not {beginning for beginning in beginnings if beginning not in page}


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words behind `pusher` in the lines of the page's shell blocks."""
    for language, block in _FENCE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            if language == "sh" and line.strip().startswith("pusher "):
                yield shlex.split(line)[1:]


def mentions(page: Path) -> Iterator[list[str]]:
    """The words behind `pusher` in the page's code within sentences."""
    for code in _CODE.findall(prose(page)):
        if code.replace("\n", " ").startswith("pusher "):
            yield code.split()[1:]


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that `words` begin with, and the words behind it."""
    from pusher.cli.main import cli

    command: click.Command = cli
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no command {' '.join(words)}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_command_line_in_a_page_is_understood(page: Path) -> None:
    for words in command_lines(page):
        command, arguments = find(words)
        assert not isinstance(command, click.Group), words
        command.make_context(command.name, arguments)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_command_that_a_page_mentions_exists_with_its_options(page: Path) -> None:
    for words in mentions(page):
        command, arguments = find([word for word in words if word != "..."])
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
        assert {word for word in arguments if word.startswith("-")} <= known, words


def test_every_command_has_an_example_in_the_reference() -> None:
    from pusher.cli.main import cli

    def leaves(group: click.Group) -> Iterator[click.Command]:
        for command in group.commands.values():
            if isinstance(command, click.Group):
                yield from leaves(command)
            else:
                yield command

    shown = [find(words)[0] for words in command_lines(ROOT / "docs/reference/commands.md")]
    assert {command.name for command in leaves(cli) if command not in shown} == set()


def anchors(page: Path) -> set[str]:
    headings = _HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_what_security_md_calls_a_proof_exists() -> None:
    named_there = [code for code in _CODE.findall(text("SECURITY.md")) if re.match("(pusher|tasks|tests)/", code)]
    assert len([code for code in named_there if "::" in code]) > 20
    for path, _, test in (code.partition("::") for code in named_there):
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in text(path), test


def test_every_test_that_reliability_md_names_exists() -> None:
    tests = re.findall(r"`([a-z0-9_/]+\.py)::(test_\w+)`", text("docs/reliability.md"))
    assert len(tests) > 30
    for path, test in tests:
        assert f"def {test}(" in text(f"tests/{path}"), (path, test)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_is_wrapped(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert not [line for line in lines if len(line) > 120 and not line.startswith("|")]


def test_every_page_is_reached_from_the_index() -> None:
    reached = {ROOT / "README.md"}
    todo = list(reached)
    while todo:
        page = todo.pop()
        linked = {(page.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(prose(page))}
        new = {target for target in linked if target.suffix == ".md"} - reached
        reached |= new
        todo += new
    assert set(PAGES) == reached
