"""Devices that registered and were learned before: what their registrations left in Redis, written in bulk."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pusher import redact
from pusher.registration import push_object
from pusher.registration.device import Device
from pusher.stores import keys
from tests.bench.lab import app_id
from tests.bench.messages import ACCOUNT_ID, PROXY_PATH, device_id, token

_DAY_S = 24 * 3600
#: Devices whose commands are sent together.
_CHUNK = 1000


def load(redis_url: str, devices: range) -> None:
    """Write the keys of `devices`, which push through app 0, as `pusher/stores/tokens.py` does."""
    address = urlsplit(redis_url)
    with socket.create_connection((address.hostname, address.port or 6379)) as connection:
        replies = connection.makefile("rb")
        for first in range(devices.start, devices.stop, _CHUNK):
            chunk = range(first, min(first + _CHUNK, devices.stop))
            commands = [command for number in chunk for command in _commands(number)]
            connection.sendall(b"".join(map(_packed, commands)))
            for _ in commands:
                reply = replies.readline()
                assert reply == b"+OK\r\n", reply


def _commands(number: int) -> Iterator[Sequence[str]]:
    device = Device(account_id=ACCOUNT_ID, device_id=device_id(number))
    learned = push_object.of(
        {
            "Token-Proxy": PROXY_PATH,
            "Token-App": app_id(0),
            "Token-Type": "apple",
            "Token-ID": token(number),
        }
    ).digest
    own = redact.digest(token(number))
    owner = {"account_id": device.account_id, "device_id": device.device_id, "registered_at": time.time()}
    for key, value in (
        (keys.owner(own), json.dumps(owner, separators=(",", ":"))),
        (keys.token(device), own),
        (keys.latest(device), learned),
        (keys.learned(device), learned),
    ):
        yield "SET", key, value, "EX", str(_DAY_S)


def _packed(command: Sequence[str]) -> bytes:
    words = "".join(f"${len(word)}\r\n{word}\r\n" for word in command)
    return f"*{len(command)}\r\n{words}".encode()
