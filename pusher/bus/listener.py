"""The listener: three queues of the bus, each with its own connection and thread, so that no call queues behind a
registration, and hooks that hand each message to its flow."""

from collections.abc import Callable

from pusher.bus.consumer import BusConsumer, Delivery
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import push_requests, registrations, setting_changes
from pusher.messages import envelope
from pusher.messages.push_request import PushRequest
from pusher.messages.registration import Registration

#: Messages a queue's consumer may hold. Calls few: only those the broker still holds grow old by its clock, and a
#: second listener gets its share. Registrations many.
CALLS_PREFETCH = 8
REGISTRATIONS_PREFETCH = 200


class Listener:
    """Listens until stopped.

    `accept_push` takes a request and the epoch seconds of its arrival. Each hook raises `MessageInvalid` for what it
    does not understand and `BusUnavailable` for what it could not hand on.
    """

    def __init__(
        self,
        url: str,
        *,
        publisher: BusPublisher,
        accept_push: Callable[[PushRequest, float], None],
        accept_registration: Callable[[Registration], None],
        settings_changed: Callable[[], None],
        wake_window_s: float,
    ) -> None:
        self._accept_push = accept_push
        self._accept_registration = accept_registration
        self._consumers = (
            BusConsumer(
                url,
                push_requests(wake_window_s),
                self._on_push_req,
                publisher=publisher,
                prefetch=CALLS_PREFETCH,
            ),
            BusConsumer(
                url,
                registrations(),
                self._on_reg_success,
                publisher=publisher,
                prefetch=REGISTRATIONS_PREFETCH,
            ),
            settings_watcher(url, publisher=publisher, settings_changed=settings_changed),
        )

    def start(self) -> None:
        """Begin to listen."""
        for consumer in self._consumers:
            consumer.start()

    def wait_ready(self, timeout_s: float) -> bool:
        """Tell whether all queues are being consumed within `timeout_s` seconds."""
        return all(consumer.consuming.wait(timeout_s) for consumer in self._consumers)

    def stop(self) -> None:
        """Finish what is in hand and return."""
        for consumer in self._consumers:
            consumer.request_stop()
        for consumer in self._consumers:
            consumer.stop()

    def _on_push_req(self, delivery: Delivery) -> None:
        fields = envelope.decode(delivery.body)
        envelope.check(fields, "notification", "push_req")
        request = PushRequest.from_message(fields)
        self._accept_push(request, delivery.received_at)

    def _on_reg_success(self, delivery: Delivery) -> None:
        fields = envelope.decode(delivery.body)
        envelope.check(fields, "directory", "reg_success")
        self._accept_registration(Registration.from_message(fields))


def settings_watcher(url: str, *, publisher: BusPublisher, settings_changed: Callable[[], None]) -> BusConsumer:
    """Return a consumer that calls `settings_changed` whenever the pusher document may have changed."""
    return BusConsumer(
        url,
        setting_changes(),
        lambda _: settings_changed(),
        publisher=publisher,
        prefetch=10,
        on_connect=settings_changed,
    )
