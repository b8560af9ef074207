"""The listener: three queues of the bus, each with its own connection and thread, so that no call queues behind a
registration, and hooks that hand messages to their flows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pusher.bus.consumer import BusConsumer
from pusher.bus.delivery import Delivery, one_by_one
from pusher.bus.publisher import BusPublisher
from pusher.bus.tls import TLS
from pusher.bus.topology import push_requests, registrations, setting_changes
from pusher.errors import MessageInvalid
from pusher.messages import envelope
from pusher.messages.push_request import ArrivedRequest, PushRequest
from pusher.messages.registration import Registration

T = TypeVar("T")

#: Messages a queue's consumer may hold, and take in hand together. Calls few: only those the broker still holds grow
#: old by its clock, and a second listener gets its share. Registrations many.
CALLS_PREFETCH = CALLS_BATCH = 8
REGISTRATIONS_PREFETCH, REGISTRATIONS_BATCH = 200, 50
#: Seconds in which registrations gather while they come in a flood: what calls do not notice, and phones hardly.
REGISTRATIONS_GATHER_S = 0.01

#: Takes requests. Raises `BusUnavailable`.
AcceptPushes = Callable[[Sequence[ArrivedRequest]], None]
#: Takes registrations, and returns for each what is wrong with it. Raises `BusUnavailable`.
AcceptRegistrations = Callable[[Sequence[Registration]], Sequence[MessageInvalid | None]]


class Listener:
    """Listens until stopped."""

    def __init__(
        self,
        url: str,
        *,
        publisher: BusPublisher,
        accept_pushes: AcceptPushes,
        accept_registrations: AcceptRegistrations,
        settings_changed: Callable[[], None],
        wake_window_s: float,
        tls: TLS | None = None,
    ) -> None:
        self._accept_pushes = accept_pushes
        self._accept_registrations = accept_registrations
        self._consumers = (
            BusConsumer(
                url,
                push_requests(wake_window_s),
                self._on_push_req,
                publisher=publisher,
                prefetch=CALLS_PREFETCH,
                batch=CALLS_BATCH,
                tls=tls,
            ),
            BusConsumer(
                url,
                registrations(),
                self._on_reg_success,
                publisher=publisher,
                prefetch=REGISTRATIONS_PREFETCH,
                batch=REGISTRATIONS_BATCH,
                gather_s=REGISTRATIONS_GATHER_S,
                tls=tls,
            ),
            settings_watcher(url, publisher=publisher, settings_changed=settings_changed, tls=tls),
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

    def _on_push_req(self, deliveries: Sequence[Delivery]) -> Sequence[MessageInvalid | None]:
        faults, requests = _read(deliveries, "notification", "push_req", PushRequest.from_message)
        self._accept_pushes(
            [
                ArrivedRequest(
                    request=request, received_at=deliveries[at].received_at, again=deliveries[at].redelivered
                )
                for at, request in requests.items()
            ]
        )
        return faults

    def _on_reg_success(self, deliveries: Sequence[Delivery]) -> Sequence[MessageInvalid | None]:
        faults, found = _read(deliveries, "directory", "reg_success", Registration.from_message)
        for at, fault in zip(found, self._accept_registrations(list(found.values())), strict=True):
            faults[at] = fault
        return faults


def _read(
    deliveries: Sequence[Delivery], category: str, name: str, read: Callable[[Mapping[str, Any]], T]
) -> tuple[list[MessageInvalid | None], dict[int, T]]:
    """Return for each delivery what is wrong with it, and what the others say by their place."""
    faults: list[MessageInvalid | None] = [None] * len(deliveries)
    values = {}
    for at, delivery in enumerate(deliveries):
        try:
            fields = envelope.decode(delivery.body)
            envelope.check(fields, category, name)
            values[at] = read(fields)
        except MessageInvalid as error:
            faults[at] = error
    return faults, values


def settings_watcher(
    url: str, *, publisher: BusPublisher, settings_changed: Callable[[], None], tls: TLS | None = None
) -> BusConsumer:
    """Return a consumer that calls `settings_changed` whenever the pusher document may have changed."""
    return BusConsumer(
        url,
        setting_changes(),
        one_by_one(lambda _: settings_changed()),
        publisher=publisher,
        prefetch=10,
        on_connect=settings_changed,
        tls=tls,
    )
