"""A message as it comes off the bus, and what a consumer's `handle` makes of several."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kombu.message import Message

from pusher.errors import MessageInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as the broker delivered it."""

    body: bytes = field(repr=False)
    #: May hold a push token.
    routing_key: str = field(repr=False)
    #: Epoch seconds when it arrived here.
    received_at: float
    #: Whether the broker delivered it before, to whoever then did not acknowledge it.
    redelivered: bool = False

    @classmethod
    def of(cls, message: Message) -> "Delivery":
        """Return what kombu's `message` holds, as it arrives now."""
        return cls(
            body=body_of(message),
            routing_key=message.delivery_info.get("routing_key") or "",
            received_at=time.time(),
            redelivered=bool(message.delivery_info.get("redelivered")),
        )


#: Takes deliveries and returns for each what is wrong with it, None where nothing is. Raises `BusUnavailable` where
#: they could not be handed on; they come back then, all of them.
Handle = Callable[[Sequence[Delivery]], Sequence[MessageInvalid | None]]


def one_by_one(handle: Callable[[Delivery], None]) -> Handle:
    """Return the `Handle` that has `handle` take each delivery; what it raises of `MessageInvalid` is its answer."""

    def take(delivery: Delivery) -> MessageInvalid | None:
        try:
            handle(delivery)
        except MessageInvalid as error:
            return error
        return None

    return lambda deliveries: [take(delivery) for delivery in deliveries]


def body_of(message: Message) -> bytes:
    """Return the body as bytes; py-amqp makes a text of it where a Content-Encoding says so."""
    body = message.body
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
