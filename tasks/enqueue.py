"""Hands work to the workers: the `Enqueue` port over Celery's message protocol, each task confirmed by the broker.

Celery makes the message and our own publisher sends it: several tasks are under way to the broker at once, and what
`send_task` does beside that (routing tables, signals, an event for Flower) would take half of the listener's time.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from celery import Celery
from kombu import Connection

from pusher.bus.confirmed_publisher import ConfirmedPublisher, Outgoing
from pusher.clock import from_epoch, utcnow
from pusher.push.notification import Notification
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from tasks.redacted import shown


class CeleryEnqueue:
    """Publishes tasks from any thread."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._publisher = ConfirmedPublisher(app.conf.broker_url, self._declare, tls=app.conf.broker_use_ssl or None)

    def push(self, *notifications: Notification) -> None:
        """Enqueue on the provider's queue; the workers drop it once its deadline passed. Raises `BusUnavailable`."""
        self._publisher.publish(
            [
                self._task(
                    "pusher.push.deliver",
                    {"notification": notification.to_task()},
                    queue=f"push.{notification.provider}",
                    expires=from_epoch(notification.expires_at),
                )
                for notification in notifications
            ]
        )

    def learn(self, changes: Mapping[Device, PushObject]) -> None:
        """Enqueue the writing of each device's push object. Raises `BusUnavailable`."""
        self._publisher.publish(
            [
                self._device_task("pusher.devices.learn", device, {"push_object": push_object.to_json()})
                for device, push_object in changes.items()
            ]
        )

    def forget(self, device: Device, token: str, dead_since: float) -> None:
        """Enqueue the clearing of `token`, dead since epoch seconds `dead_since`. Raises `BusUnavailable`."""
        arguments = {"token": token, "dead_since": dead_since}
        self._publisher.publish([self._device_task("pusher.devices.forget", device, arguments)])

    def connect(self) -> None:
        """Connect now, so that the first task does not wait for it. Raises `BusUnavailable`."""
        self._publisher.connect()

    def close(self) -> None:
        """Close the connection."""
        self._publisher.close()

    def _device_task(self, name: str, device: Device, arguments: Mapping[str, Any]) -> Outgoing:
        ids = {"account_id": device.account_id, "device_id": device.device_id}
        return self._task(name, {**ids, **arguments}, queue="devices", expires=None)

    def _task(self, name: str, kwargs: Mapping[str, Any], *, queue: str, expires: datetime | None) -> Outgoing:
        message = self._app.amqp.as_task_v2(
            str(uuid.uuid4()),
            name,
            kwargs=dict(kwargs),
            expires=expires,
            argsrepr="()",
            kwargsrepr=shown(kwargs),
            # As the task itself says.
            ignore_result=None,
        )
        properties = {
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "delivery_mode": 2,
            "headers": message.headers,
            **message.properties,
        }
        if expires is not None:
            # The broker closes the channel over a time to live below zero.
            properties["expiration"] = max(0.0, (expires - utcnow()).total_seconds())
        return Outgoing(exchange="", routing_key=queue, body=json.dumps(message.body).encode(), properties=properties)

    def _declare(self, connection: Connection) -> None:
        """Declare the queues that are to hold the tasks, for no worker may have been here yet."""
        with connection.channel() as channel:
            for queue in self._app.amqp.queues.values():
                queue(channel).declare()
