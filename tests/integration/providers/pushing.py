"""Pushes for the tests here: made now, sent one by one or many at once."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pusher.clock import Deadline
from pusher.messages.push_request import PushRequest
from pusher.ports import Provider
from pusher.push.app import App, ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import Outcome


def notification(provider: ProviderName, token: str) -> Notification:
    """Return a push for a call of this moment."""
    request = PushRequest(token=token, token_type=str(provider), app_id="app", call_id="call-1")
    now = time.time()
    return Notification(
        request=request, provider=provider, push_id=str(uuid.uuid4()), received_at=now, expires_at=now + 20
    )


def push_many(send: Callable[[], Outcome], count: int, threads: int) -> list[Outcome]:
    """Return the outcomes of `count` pushes, sent by `threads` threads."""
    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(send) for _ in range(count)]]


def push(client: Provider, app: App, provider: ProviderName, token: str, seconds: float = 10.0) -> Outcome:
    """Send one push."""
    return client.push(notification(provider, token), app, Deadline.after(seconds))
