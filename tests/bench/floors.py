"""What the same work costs at least: bare kombu loops, with nothing in them that a service needs.

Run as a process of its own: `python -m tests.bench.floors LOOP QUEUE`, with the site's environment. It says `ready`,
and on SIGTERM prints what it noted.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.message import Message

from tests.bench.messages import DONE_EXCHANGE

Handle = Callable[[Message], None]
_noted: list[float] = []


def consume(connection: Connection) -> Handle:
    """Decode and acknowledge."""

    def handle(message: Message) -> None:
        json.loads(message.body)
        message.ack()

    return handle


def consume_and_apply(connection: Connection, options: Mapping[str, Any] | None = None) -> Handle:
    """Decode, enqueue a Celery task with the message in it, acknowledge; as Celery does it out of the box."""
    app = Celery("floor", broker=os.environ["PUSHER_BUS_URL"])
    app.conf.broker_transport_options = dict(options or {})

    def handle(message: Message) -> None:
        app.send_task("bench.empty", kwargs={"notification": json.loads(message.body)}, queue="push.apple")
        message.ack()

    return handle


def consume_and_apply_confirmed(connection: Connection) -> Handle:
    """The same, and the broker confirms the task before the message is acknowledged."""
    return consume_and_apply(connection, {"confirm_publish": True})


def hop(connection: Connection) -> Handle:
    """Note how long ago the message was sent; its body begins with the monotonic seconds."""

    def handle(message: Message) -> None:
        _noted.append(time.monotonic() - float(json.loads(message.body)["sent_at"]))
        message.ack()

    return handle


def echo(connection: Connection) -> Handle:
    """Send the body back."""
    producer = Producer(connection.channel())

    def handle(message: Message) -> None:
        producer.publish(message.body, exchange=DONE_EXCHANGE, routing_key="echo", content_type="application/json")
        message.ack()

    return handle


LOOPS: dict[str, Callable[[Connection], Handle]] = {
    "consume": consume,
    "consume_and_apply": consume_and_apply,
    "consume_and_apply_confirmed": consume_and_apply_confirmed,
    "hop": hop,
    "echo": echo,
}


def main(loop: str, queue: str, prefetch: str = "200") -> None:
    """Consume `queue` until SIGTERM."""
    signal.signal(signal.SIGTERM, _end)
    with Connection(os.environ["PUSHER_BUS_URL"]) as connection:
        handle = LOOPS[loop](connection)
        channel = connection.channel()
        # The queue is there already; its arguments are whoever declared it.
        there = Queue(queue, exchange=Exchange(""), no_declare=True)
        consumer = Consumer(channel, [there], on_message=handle, accept=None, auto_declare=False)
        consumer.qos(prefetch_count=int(prefetch))
        consumer.consume()
        print("ready", file=sys.stderr, flush=True)
        while True:
            connection.drain_events()


def _end(*_: Any) -> None:
    print(json.dumps(_noted), file=sys.stderr, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
