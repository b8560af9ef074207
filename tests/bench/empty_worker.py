"""Pusher's own Celery app with one more task, which does nothing: what a worker costs before it works.

`celery -A tests.bench.empty_worker worker ...`; on shutdown it prints how long after `sent_at` each task began.
"""

import json
import sys
import time
from typing import Any

from celery.signals import worker_shutdown

from tasks.app import app

_noted: list[float] = []


@app.task(name="bench.empty", Request="tasks.redacted:RedactedRequest")
def empty(notification: dict[str, Any]) -> None:
    """Do nothing, but note when."""
    if "sent_at" in notification:
        _noted.append(time.monotonic() - notification["sent_at"])


@worker_shutdown.connect
def _print(**_: Any) -> None:
    print(json.dumps(_noted), file=sys.stderr, flush=True)
