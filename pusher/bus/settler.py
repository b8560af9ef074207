"""What happens to messages that were taken off the bus, decided in one place.

Handled, a message is acknowledged; not understood, it is kept in `pusher.dead` and acknowledged; not handed over
because a broker is away, it stays on the bus and comes back.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kombu.message import Message

from pusher.bus import burial
from pusher.bus.delivery import Delivery, Handle
from pusher.bus.publisher import BusPublisher
from pusher.errors import BusUnavailable, MessageInvalid
from pusher.logs import event

log = logging.getLogger("pusher.bus")


class Settler:
    """Hands the messages of one queue to `handle` and answers to the broker for them."""

    def __init__(self, queue: str, handle: Handle, publisher: BusPublisher) -> None:
        self._queue = queue
        self._handle = handle
        self._publisher = publisher

    def settle(self, messages: Sequence[Message]) -> None:
        """Settle `messages`, which follow one another on one channel; nothing before them is unsettled.

        Raises `BusUnavailable`, and whatever a connection that broke makes of an acknowledgement.
        """
        deliveries = [Delivery.of(message) for message in messages]
        for message, delivery, fault in zip(messages, deliveries, self._faults(deliveries), strict=True):
            if fault is not None:
                self._bury(delivery, message, fault)
        messages[-1].ack(multiple=True)

    def _faults(self, deliveries: Sequence[Delivery]) -> Sequence[Exception | None]:
        """Have `deliveries` handled; return for each why it was not."""
        try:
            return self._handle(deliveries)
        except BusUnavailable:
            raise
        except Exception as error:  # One poisonous message must not silence every phone behind it.
            if len(deliveries) > 1:
                # Alone, each shows whether it is the one. What was done for the others is done again, to no effect.
                again = (replace(delivery, redelivered=True) for delivery in deliveries)
                return [fault for delivery in again for fault in self._faults([delivery])]
            log.exception("message could not be handled, kept in pusher.dead")
            return [error]

    def _bury(self, delivery: Delivery, message: Message, fault: Exception) -> None:
        understood = isinstance(fault, MessageInvalid)
        reason = "message_invalid" if understood else "internal_error"
        problem = str(fault) if understood else type(fault).__name__
        event(
            log,
            logging.WARNING,
            "message not understood, kept in pusher.dead",
            queue=self._queue,
            reason=reason,
            problem=problem,
            size=len(delivery.body),
        )
        info: Mapping[str, str] = message.delivery_info
        headers = burial.headers(
            reason=reason,
            problem=problem,
            queue=self._queue,
            exchange=info.get("exchange") or "",
            routing_key=delivery.routing_key,
            size=len(delivery.body),
        )
        self._publisher.bury(delivery.body, headers, message.content_type or "application/octet-stream")
