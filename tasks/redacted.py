"""Keeps tokens and callers out of what Celery shows: events, Flower, `celery inspect`, logs and error reports."""

from collections.abc import Mapping
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.request import Request

from pusher.redact import SECRET_KEYS, fingerprint

#: What nobody must read there: tokens, and who calls.
_SECRET = SECRET_KEYS | {"Payload", "Alert-Body", "Alert-Params", "token", "push_object"}


def shown(arguments: Mapping[str, Any]) -> str:
    """Return the `kwargsrepr` of a task: every secret in it, at any depth, as a fingerprint."""
    return repr(_redacted(arguments))


def _redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: fingerprint(str(item)) if key in _SECRET else _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value]
    return value


class RedactedRequest(Request):  # type: ignore[misc]
    """A task as a worker holds it; `celery inspect` and Flower's worker page see the redacted arguments only."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what Celery hands over. Raises `InvalidTaskError` for arguments that no task can be called with."""
        super().__init__(*args, **options)
        # Celery finds out in a thread of its pool, and the task is gone by then.
        if not isinstance(self.kwargs, Mapping) or "self" in self.kwargs:
            raise InvalidTaskError("its arguments are no names and values")

    def info(self, safe: bool = False) -> dict[str, Any]:
        """Return what may be shown, whether or not the caller asked for the safe form."""
        info: dict[str, Any] = super().info(safe=True)
        return info
