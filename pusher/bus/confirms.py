"""Which messages of a channel the broker has not confirmed yet, so that several may be under way at once.

kombu's own `confirm_publish` waits after each message: a round trip and a write to the broker's disk for every task.
"""

from typing import Any

from amqp.exceptions import MessageNacked
from kombu import Connection

from pusher.clock import Deadline


class Confirms:
    """Belongs to one channel, made right after it; one thread at a time publishes there."""

    def __init__(self, channel: Any) -> None:
        self._published = 0
        self._unconfirmed: set[int] = set()
        self._refused = False
        # The memory transport of the demo has no broker that could confirm.
        self._confirming = hasattr(channel, "confirm_select")
        if self._confirming:
            channel.events["basic_ack"].add(self._taken)
            channel.events["basic_nack"].add(self._not_taken)
            channel.confirm_select()

    def expect(self) -> None:
        """Take note that a message is about to be published: the broker counts them from 1."""
        if self._confirming:
            self._published += 1
            self._unconfirmed.add(self._published)

    def wait(self, connection: Connection, limit_s: float) -> None:
        """Return when the broker has taken every message. Raises `MessageNacked`, `TimeoutError`, or what amqp does."""
        deadline = Deadline.after(limit_s)
        while self._unconfirmed:
            # A limit of zero would have py-amqp read without waiting, and spin on half a frame.
            connection.drain_events(timeout=max(0.001, deadline.remaining_s()))
        if self._refused:
            raise MessageNacked

    def _taken(self, delivery_tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {tag for tag in self._unconfirmed if tag > delivery_tag}
        else:
            self._unconfirmed.discard(delivery_tag)

    def _not_taken(self, delivery_tag: int, multiple: bool) -> None:
        self._refused = True
        self._taken(delivery_tag, multiple)
