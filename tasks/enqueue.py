"""Hands work to the workers: the `Enqueue` port over Celery, each task confirmed by the broker."""

from collections.abc import Mapping
from typing import Any

from celery import Celery

from pusher.bus.connection import CONNECTION_ERRORS
from pusher.clock import from_epoch
from pusher.errors import BusUnavailable
from pusher.push.notification import Notification
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from tasks.redacted import shown

#: Two quick tries: the caller keeps its message on the bus, and has a call waiting.
_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.05, "interval_max": 0.05}


class CeleryEnqueue:
    """Publishes tasks from any thread."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def push(self, notification: Notification) -> None:
        """Enqueue on the provider's queue; the workers drop it once its deadline passed. Raises `BusUnavailable`."""
        self._send(
            "pusher.push.deliver",
            {"notification": notification.to_task()},
            queue=f"push.{notification.provider}",
            expires=from_epoch(notification.expires_at),
        )

    def learn(self, device: Device, push_object: PushObject) -> None:
        """Enqueue the writing of `push_object`. Raises `BusUnavailable`."""
        self._send("pusher.devices.learn", _ids(device) | {"push_object": push_object.to_json()})

    def forget(self, device: Device, token: str, dead_since: float) -> None:
        """Enqueue the clearing of `token`, dead since epoch seconds `dead_since`. Raises `BusUnavailable`."""
        self._send("pusher.devices.forget", _ids(device) | {"token": token, "dead_since": dead_since})

    def _send(self, name: str, kwargs: Mapping[str, Any], **options: Any) -> None:
        try:
            self._app.send_task(
                name,
                kwargs=dict(kwargs),
                argsrepr="()",
                kwargsrepr=shown(kwargs),
                retry=True,
                retry_policy=_RETRY_POLICY,
                **options,
            )
        except CONNECTION_ERRORS as error:
            raise BusUnavailable(f"the broker did not take a task: {error}") from error


def _ids(device: Device) -> dict[str, Any]:
    return {"account_id": device.account_id, "device_id": device.device_id}
