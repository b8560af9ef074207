"""Log lines: one event each, in a form that tools can read and that nobody can forge."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher import logs
from pusher.logs import JSONFormatter, Quiet, TextFormatter, event

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def record(message: str = "push accepted", error: Exception | None = None, **fields: object) -> logging.LogRecord:
    """Return a record as `event` makes it."""
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("pusher.flows", logging.INFO, "x.py", 1, message, (), exc_info)
    made.created = 1_769_860_800.5
    made.__dict__["fields"] = fields
    return made


def raised(text: str) -> Exception:
    """Return an error with a traceback."""
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    """Return what the one line of JSON says."""
    line = JSONFormatter().format(made)
    assert line.splitlines() == [line]
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_text_is_time_level_event_and_fields() -> None:
    line = TextFormatter().format(record(app="org.example.app", token="#0a1b2c3d4e", attempt=2, delay_s=0.25))
    assert line == (
        "2026-01-31T12:00:00.500Z INFO push accepted app=org.example.app token=#0a1b2c3d4e attempt=2 delay_s=0.2"
    )


def test_json_is_the_same_as_an_object() -> None:
    assert as_json(record(app="org.example.app", attempt=2, delay_s=0.25)) == {
        "time": "2026-01-31T12:00:00.500Z",
        "level": "INFO",
        "logger": "pusher.flows",
        "event": "push accepted",
        "app": "org.example.app",
        "attempt": 2,
        "delay_s": 0.25,
    }


def test_values_with_spaces_or_quotes_are_written_in_quotes() -> None:
    line = TextFormatter().format(record(a="b c", d='e"f', g="", h="ü", i="1-2@h.example"))
    assert line.endswith(r'a="b c" d="e\"f" g="" h="\u00fc" i=1-2@h.example')


HOSTILE = [
    "x\n2026-01-31T12:00:00.500Z INFO push accepted",
    "x\r\n2026",
    "x\u2028y",
    "x\x85y",
    "x\x0by",
    "\x1b[2J",
    "a b=c",
    'a" b="c',
    "\ud800",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_cannot_forge_a_second_line_or_field(value: str) -> None:
    line = TextFormatter().format(record(call_id=value, app="a"))
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert json.loads(re.fullmatch(r".* call_id=(\".*\") app=a", line)[1]) == value  # type: ignore[index]
    assert as_json(record(call_id=value))["call_id"] == value


@pytest.mark.parametrize("value", HOSTILE)
def test_a_message_cannot_forge_a_second_line(value: str) -> None:
    line = TextFormatter().format(record(value))
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert as_json(record(value))["event"] == value


@pytest.mark.parametrize("value", HOSTILE)
def test_an_exceptions_text_cannot_forge_a_line_that_begins_like_one_of_ours(value: str) -> None:
    lines = TextFormatter().format(record(error=raised(value))).splitlines()
    assert lines[0].endswith("INFO push accepted")
    assert lines[1] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") and line.isprintable() for line in lines[1:])
    assert "ValueError" in as_json(record(error=raised(value)))["traceback"]


@given(value=st.text() | st.integers() | st.none() | st.binary() | st.floats())
@settings(max_examples=200, deadline=None)
def test_every_value_makes_one_line(value: object) -> None:
    line = TextFormatter().format(record(value=value, app="a"))
    assert line.splitlines() == [line]
    assert line.endswith(" app=a")
    as_json(record(value=value))


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Put the loggers back as they were."""
    root = logging.getLogger()
    names = ("celery.worker.strategy", "celery.app.trace", "amqp", "urllib3", "hpack", "h2", "google")
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:], level, levels = before
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_everything_goes_to_standard_error_once_however_often_it_is_configured(
    log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    for _ in range(2):
        logs.configure(log_format=log_format, log_level="INFO")
    event(logging.getLogger("pusher.flows"), logging.INFO, "push accepted", app="a", call_id=None)
    event(logging.getLogger("pusher.flows"), logging.DEBUG, "not said")
    logging.getLogger("other.library").warning("said by %s", "others")
    first, second = stderr.getvalue().splitlines()
    if log_format == "json":
        assert json.loads(first)["app"] == "a"
        assert "call_id" not in json.loads(first)
        assert json.loads(second)["event"] == "said by others"
    else:
        assert TIME.match(first)
        assert first.endswith(" INFO push accepted app=a")
        assert second.endswith(" WARNING said by others")


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize(
    ("log_level", "noisy", "leaking"),
    [("DEBUG", "WARNING", "INFO"), ("INFO", "WARNING", "INFO"), ("ERROR", "ERROR", "ERROR")],
)
def test_libraries_that_talk_too_much_are_held_back(log_level: str, noisy: str, leaking: str) -> None:
    """Celery tells two lines a task; debug lines of amqp, h2 and urllib3 hold frames and URLs, and so tokens."""
    logs.configure(log_format="text", log_level=log_level)
    assert logging.getLogger().level == logging.getLevelName(log_level)
    for names, level in (
        (("celery.worker.strategy", "celery.app.trace"), noisy),
        (("amqp", "amqp.connection.Connection.heartbeat_tick", "urllib3.connectionpool", "hpack.hpack", "h2"), leaking),
        (("google.auth.transport.requests",), leaking),
    ):
        for name in names:
            assert logging.getLevelName(logging.getLogger(name).getEffectiveLevel()) == level, name


def test_quiet_tells_each_subject_once_in_its_period() -> None:
    quiet = Quiet(60.0)
    told = [
        quiet.due(subject, now) for subject, now in (("a", 0.0), ("a", 59.9), ("b", 59.9), ("a", 60.0), ("a", 61.0))
    ]
    assert told == [True, False, True, True, False]


def test_what_is_not_told_is_counted_per_subject_until_it_is() -> None:
    quiet = Quiet(60.0)
    assert [quiet.count("webpush", now) for now in (0.0, 1.0, 59.9)] == [1, 0, 0]
    assert quiet.count("query", 59.9) == 1
    assert [quiet.count("webpush", now) for now in (60.0, 61.0, 120.0)] == [3, 0, 2]
