"""Kazoo's and RabbitMQ's commands that the migration guide names, as far as it needs them.

`sup` starts and stops a stand-in of the Erlang pusher: its queue, with a consumer that answers nobody
(facts: kazoo.md 1, 3). Run as a module: `python -m tests.acceptance.stand_ins sup kapps_controller stop_app pusher`.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from kombu import Connection, Consumer, Queue

from pusher.bus.topology import PUSHES
from tests.support.until import until

#: Holds the process id of the running stand-in.
PID_FILE = Path("erlang-pusher.pid")


def sup(bus_url: str, words: list[str]) -> None:
    """Do what Kazoo's `sup` does for these `words`."""
    match words:
        case ["kapps_controller", "start_app", "pusher"]:
            subprocess.Popen([sys.executable, "-m", "tests.acceptance.stand_ins", "erlang", bus_url])
            until(PID_FILE.exists)
        case ["kapps_controller", "stop_app", "pusher"]:
            os.kill(int(PID_FILE.read_text()), signal.SIGTERM)
            until(lambda: not PID_FILE.exists())
        case _:
            sys.exit(f"this stand-in does not know: sup {' '.join(words)}")


def rabbitmqctl(bus_url: str, words: list[str]) -> None:
    """Do what RabbitMQ's `rabbitmqctl` does for these `words`; it fails for a queue that does not exist."""
    match words:
        case ["delete_queue", name]:
            with Connection(bus_url) as connection:
                Queue(name, channel=connection.default_channel).queue_declare(passive=True)
                Queue(name, channel=connection.default_channel).delete()
        case _:
            sys.exit(f"this stand-in does not know: rabbitmqctl {' '.join(words)}")


def erlang(bus_url: str) -> None:
    """Consume push requests as the Erlang application does, until SIGTERM."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    queue = Queue(
        "pusher_shared_listener", exchange=PUSHES, routing_key="notification.push.#", durable=False, auto_delete=True
    )
    unanswered: list[object] = []
    with (
        Connection(bus_url) as connection,
        Consumer(connection, queue, no_ack=True, callbacks=[lambda body, _: unanswered.append(body)]),
    ):
        PID_FILE.write_text(str(os.getpid()))
        while not ended:
            try:
                connection.drain_events(timeout=0.1)
            except TimeoutError:
                continue
    PID_FILE.unlink()


if __name__ == "__main__":
    command, url, *arguments = sys.argv[1:]
    {
        "sup": lambda: sup(url, arguments),
        "rabbitmqctl": lambda: rabbitmqctl(url, arguments),
        "erlang": lambda: erlang(url),
    }[command]()
