"""What a broker delivers: properties that anybody may have set, and letters in `pusher.dead`."""

import struct
import time
from datetime import UTC, datetime
from typing import Any

from amqp.basic_message import Message as WireMessage
from amqp.spec import Basic
from kombu.message import Message

from pusher.bus.dead_letters import letter_of
from pusher.bus.delivery import Delivery
from pusher.bus.readable_frames import readable_frames
from pusher.cli.dead import _body
from pusher.cli.table import printable
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target

HEADERS = (
    *("x-death", "x-pusher-reason", "x-pusher-problem", "x-pusher-queue", "x-pusher-exchange", "x-pusher-at"),
    *("x-pusher-routing-key", "x-pusher-size", "x"),
)
DEATH = ("time", "reason", "queue", "exchange", "routing-keys", "count")


def check_letter(data: bytes) -> None:
    """A letter can be listed and shown whatever its headers and its body are."""
    draw = Draw(data)
    headers = {draw.choice(HEADERS): _field(draw, 3) for _ in range(draw.byte() % 8)}
    if draw.byte() % 2:
        headers["x-death"] = [{draw.choice(DEATH): _field(draw, 2) for _ in range(draw.byte() % 6)}]
    content_type = draw.choice([None, "application/json", draw.text()])
    body: Any = draw.rest()
    if draw.byte() % 2:
        body = body.decode("utf-8", "replace")
    message = Message(body=body, headers=headers, content_type=content_type, delivery_info={"routing_key": "k"})
    letter = letter_of(message)
    for value in (letter.letter_id, letter.at, letter.queue, letter.exchange, letter.reason, letter.problem):
        assert printable(value).isprintable()
    _body(letter).encode()
    letter.exchange.encode()
    assert letter_of(message) == letter
    assert abs(Delivery.of(message).received_at - time.time()) < 60


def _field(draw: Draw, depth: int) -> Any:
    """Return a value as py-amqp reads it out of a table."""
    kind = draw.byte() % 8
    if kind == 0:
        return draw.text().encode("utf-8", "replace") + draw.bytes(2)
    if kind == 1:
        return datetime.fromtimestamp(draw.number(), UTC).replace(tzinfo=None)
    return draw.json(depth)


class _Connection:
    """As much of py-amqp's connection as counts received frames."""

    bytes_recv = 0


def check_properties(data: bytes) -> None:
    """A message arrives with its body, whatever bytes its properties are, and the next one does as well."""
    arrived: list[WireMessage] = []
    handle = readable_frames(_Connection(), lambda *frame: arrived.append(frame[3]))
    for number in range(2):
        handle((1, 1, struct.pack(">HH", *Basic.Deliver)))
        handle((2, 1, struct.pack(">HHQ", Basic.CLASS_ID, 0, 1) + data))
        assert handle((3, 1, b"x"))
        assert len(arrived) == number + 1
    properties = arrived[0].properties
    assert letter_of(
        Message(
            body=bytes(arrived[0].body),
            headers=properties.get("application_headers") or {},
            content_type=properties.get("content_type"),
        )
    ).letter_id


def _table(entry: bytes) -> bytes:
    """Return properties that are a content type and headers with one `entry`."""
    table = b"\x01x" + entry
    return struct.pack(">H", 1 << 15 | 1 << 13) + b"\x0atext/plain" + struct.pack(">I", len(table)) + table


PROPERTIES = Target(
    name="amqp_properties",
    check=check_properties,
    seeds=(
        b"\0\0",
        _table(b"S\0\0\0\x05value"),
        _table(b"A\0\0\0\x0cF\0\0\0\x07\x01yT" + bytes(8)),
        b"\xff\xff\xff\xff",
    ),
    words=(b"T\x02" + bytes(7), b"T\x80" + bytes(7), b"F\0\0\0\4\1x", b"A\0\0\0\1", b"D\xff", b"\xe9", b"x-death"),
    max_length=20_000,
)
LETTER = Target(
    name="dead_letter",
    check=check_letter,
    seeds=(
        b"\x02\x01\x02\x1fmessage_invalid\x03\x02\x1apusher.req\x00\x00\x00" + b'{"Token-ID":"secret","x":[1]}',
        b"\x00\x01\x03\x00\x01abcd\x01\x02\x17expired\x04\x01\x01\x02\x13key\x01" + b"<html>",
    ),
    words=(b'"Token-ID":', b'"Payload":{', b"\x1b[31m", b"\xff\xfe"),
)
