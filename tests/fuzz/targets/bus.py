"""What a broker delivers: properties that anybody may have set, and letters in `pusher.dead`."""

import time
from datetime import UTC, datetime
from typing import Any

from kombu.message import Message

from pusher.bus.dead_letters import letter_of
from pusher.bus.delivery import Delivery
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


LETTER = Target(
    name="dead_letter",
    check=check_letter,
    seeds=(
        b"\x02\x01\x02\x1fmessage_invalid\x03\x02\x1apusher.req\x00\x00\x00" + b'{"Token-ID":"secret","x":[1]}',
        b"\x00\x01\x03\x00\x01abcd\x01\x02\x17expired\x04\x01\x01\x02\x13key\x01" + b"<html>",
    ),
    words=(b'"Token-ID":', b'"Payload":{', b"\x1b[31m", b"\xff\xfe"),
)
