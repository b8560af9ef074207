"""The bus messages that the benchmarks send, as Kamailio writes them, and who sends them."""

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from celery import Celery
from kombu import Connection, Exchange, Producer

from pusher.clock import from_epoch
from pusher.messages.push_request import PushRequest
from pusher.push.app import ProviderName
from pusher.push.notification import Notification
from tasks.redacted import shown
from tests.bench.lab import Site, app_id

#: Where answers of bare loops go.
DONE_EXCHANGE = "bench.done"
SERVER_ID = "kamailio@bench-<1>-targeted-0"
PROXY_PATH = "sip:198.51.100.7:5060;transport=tcp"
ACCOUNT_ID = "00112233445566778899aabbccddeeff"


def token(number: int) -> str:
    """Return the push token of device `number`, as APNs makes them."""
    return f"{number:064x}"


def push_req(device: int, *, app: int = 0, call_id: str | None = None) -> dict[str, Any]:
    """Return a push_req for a device."""
    call = call_id or f"{uuid.uuid4().hex[:16]}@198.51.100.7"
    return {
        "Event-Category": "notification",
        "Event-Name": "push_req",
        "Call-ID": call,
        "Token-ID": token(device),
        "Token-Type": "apple",
        "Token-App": app_id(app),
        "Alert-Key": "IC_SIL",
        "Alert-Params": ["+15551230000 - Bob"],
        "Sound": "ring.caf",
        "Payload": {
            "call-id": call,
            "proxy": "sip:198.51.100.7:5060;transport=tcp",
            "caller-id-number": "+15551230000",
            "caller-id-name": "Bob",
            "registration-token": str(uuid.uuid4()),
        },
        "App-Name": "kamailio",
        "App-Version": "5.6.3",
        "Node": "kamailio@bench",
        "Msg-ID": str(uuid.uuid4()),
        "Server-ID": SERVER_ID,
    }


def reg_success(device: int, *, user_agent: str = "ExamplePhone/3.2 (Android 14)", app: int = 0) -> dict[str, Any]:
    """Return the registration of a device that pushes."""
    contact = (
        f'"Ann" <sip:u{device}@198.51.100.20:5060;transport=tcp>;app-id={app_id(app)};pn-type=apple;'
        f'pn-tok={token(device)};+sip.instance="<urn:uuid:00000000-0000-4000-8000-{device:012x}>";expires=600'
    )
    return _registration(device, user_agent, contact)


def desk_phone(device: int) -> dict[str, Any]:
    """Return the registration of a phone on a desk."""
    contact = f'<sip:u{device}@198.51.100.21:5060>;+sip.instance="<urn:uuid:00000000-0000-4000-8000-{device:012x}>"'
    return _registration(device, "Yealink SIP-T46S 66.86.0.15", contact)


def device_id(number: int) -> str:
    """Return the document id of a device."""
    return f"{number:032x}"


def _registration(device: int, user_agent: str, contact: str) -> dict[str, Any]:
    return {
        "Event-Category": "directory",
        "Event-Name": "reg_success",
        "Status": "Registered",
        "Event-Timestamp": int(time.time()),
        "Expires": 600,
        "First-Registration": False,
        "Contact": contact,
        "Call-ID": f"{uuid.uuid4().hex}@phone",
        "Realm": "acme.sip.example.com",
        "Username": f"u{device}",
        "From-User": f"u{device}",
        "From-Host": "acme.sip.example.com",
        "To-User": f"u{device}",
        "To-Host": "acme.sip.example.com",
        "User-Agent": user_agent,
        "Custom-Channel-Vars": {
            "Account-ID": ACCOUNT_ID,
            "Authorizing-ID": device_id(device),
            "Authorizing-Type": "device",
            "Account-Realm": "acme.sip.example.com",
            "Username": f"u{device}",
        },
        "Proxy-Path": PROXY_PATH,
        "Proxy-Protocol": "tcp",
        "Proxy-IP": "198.51.100.7",
        "Proxy-Port": "5060",
        "Source-IP": "198.51.100.20",
        "Source-Port": "5060",
        "Proxy-URI": "sip:198.51.100.7:5060;transport=tcp",
        "App-Name": "kamailio",
        "App-Version": "5.6.3",
        "Node": "kamailio@bench",
        "Msg-ID": str(uuid.uuid4()),
        "Server-ID": SERVER_ID,
    }


class Bus:
    """Publishes without confirmation, as Kamailio does."""

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)
        self._producer = Producer(self._connection.channel())

    def publish(self, exchange: str, routing_key: str, message: Mapping[str, Any]) -> None:
        """Send one message."""
        self._producer.publish(
            json.dumps(message).encode(),
            exchange=exchange,
            routing_key=routing_key,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=1,
        )

    def push_req(self, message: Mapping[str, Any]) -> None:
        """Ask for a push."""
        self.publish("pushes", f"notification.push.apple.{message['Token-ID']}", message)

    def reg_success(self, message: Mapping[str, Any]) -> None:
        """Announce a registration."""
        self.publish("registrar", f"registration.success.acme.{message['Username']}", message)

    def depth(self, queue: str) -> int:
        """Return how many messages wait in `queue`."""
        with self._connection.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)

    def purge(self, queue: str) -> None:
        """Throw away what waits in `queue`."""
        with self._connection.channel() as channel:
            channel.queue_purge(queue)

    def declare_queue(self, name: str) -> None:
        """Declare a queue that only its name leads to."""
        with self._connection.channel() as channel:
            channel.queue_declare(name, durable=False, auto_delete=False)

    def declare_exchange(self, name: str) -> None:
        """Declare a direct exchange of the benchmark's own."""
        with self._connection.channel() as channel:
            Exchange(name, type="direct", durable=False, auto_delete=False)(channel).declare()

    def close(self) -> None:
        """Disconnect."""
        self._connection.release()


class Tasks:
    """Enqueues tasks as the listener does, without waiting for a confirmation."""

    def __init__(self, site: Site) -> None:
        self._app = Celery("bench")
        self._app.config_from_object("celeryconfig")
        self._app.conf.broker_url = site.bus_url
        self._connection = self._app.connection_for_write()
        self._producer = self._app.amqp.Producer(self._connection)

    def send(self, message: Mapping[str, Any], *, task: str = "pusher.push.deliver", **more: object) -> None:
        """Enqueue the push that a push_req asks for; `more` is added to the task's argument."""
        notification = Notification.of(
            PushRequest.from_message(message), ProviderName.APPLE, received_at=time.time(), wake_window_s=600
        )
        arguments = {"notification": notification.to_task() | more}
        self._app.send_task(
            task,
            kwargs=arguments,
            argsrepr="()",
            kwargsrepr=shown(arguments),
            queue="push.apple",
            expires=from_epoch(notification.expires_at),
            producer=self._producer,
        )

    def close(self) -> None:
        """Disconnect."""
        self._connection.release()


def enqueue(site: Site, messages: Iterable[Mapping[str, Any]], *, task: str = "pusher.push.deliver") -> None:
    """Enqueue a task for each push_req."""
    tasks = Tasks(site)
    for message in messages:
        tasks.send(message, task=task)
    tasks.close()
