"""How Pusher logs: one event a line, as text or JSON, its facts as fields that people can grep for."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

_PLAIN = re.compile(r"[\w.:/@+#~%*,-]+", re.ASCII)


def event(logger: logging.Logger, level: int, message: str, /, **fields: object) -> None:
    """Log `message` with `fields`; those that are None are left out. Secrets go in as fingerprints only."""
    if logger.isEnabledFor(level):
        logger.log(level, message, extra={"fields": {k: v for k, v in fields.items() if v is not None}})


class Quiet:
    """Lets one warning through per subject and period, so that an outage does not fill the disk."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._last: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def due(self, subject: str, now: float) -> bool:
        """Tell whether `subject` may be told at `now`, seconds of any steady clock, and count it as told."""
        last = self._last.get(subject)
        if last is not None and now - last < self._period_s:
            return False
        self._last[subject] = now
        return True

    def count(self, subject: str, now: float) -> int:
        """Count `subject`, and return how often it came since it was told last; 0 while it must not be told again."""
        self._untold[subject] = self._untold.get(subject, 0) + 1
        return self._untold.pop(subject) if self.due(subject, now) else 0


def configure(*, log_format: str, log_level: str) -> None:
    """Send every log record of this process to standard error, as `text` or `json`, from `log_level` up."""
    handler = logging.StreamHandler()
    handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log_level)
    # Celery tells two lines per task; our own line per push says more. amqp's debug lines hold whole frames.
    for noisy in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    for leaking in ("amqp", "urllib3", "hpack", "h2", "google"):
        logging.getLogger(leaking).setLevel(max(logging.INFO, root.level))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO push accepted app=org.example call_id=...`; strange values in JSON quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it where there is one."""
        words = [_time(record), record.levelname, _one_line(record.getMessage())]
        fields: dict[str, Any] = getattr(record, "fields", {})
        words += [f"{name}={_value(value)}" for name, value in fields.items()]
        line = " ".join(words)
        if not record.exc_info:
            return line
        # Indented, for an exception's text may quote a stranger who wrote a line that looks like ours.
        trace = self.formatException(record.exc_info).splitlines()
        return "\n".join((line, *(f"  {_one_line(each)}" for each in trace)))


class JSONFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `event` and the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback becomes the field `traceback`."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    text = str(value)
    # A stranger's Call-ID must not forge a second line.
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _one_line(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
