"""A reg_success arrived: answer the calls that waited for this phone, and hand on what its registration teaches.

Most registrations are desk phones (one regular expression) or phones that push and did not change (that, and one Redis
round trip); neither becomes a task.
"""

import logging
from collections.abc import Callable

from pusher.errors import DocumentsUnavailable, StoreUnavailable
from pusher.flows.answer_waiting import AnswerWaiting
from pusher.logs import Quiet, event
from pusher.messages.registration import Registration
from pusher.ports import Arrival, Enqueue, Settings, Tokens, Waits
from pusher.redact import fingerprint
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from pusher.registration.reading import Reading, read
from pusher.registration.rfc8599 import Refusal, RefusalReason
from pusher.registration.user_agents import UserAgentRule

log = logging.getLogger("pusher.flows")

#: What is no fault of anybody: a phone that wants no pushes, or asks first.
_NO_FAULT = (RefusalReason.CAPABILITY_QUERY, RefusalReason.NO_TOKEN)


class AcceptRegistration:
    """Runs in the listener."""

    def __init__(
        self,
        *,
        settings: Settings,
        waits: Waits,
        tokens: Tokens,
        answer_waiting: AnswerWaiting,
        enqueue: Enqueue,
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._waits = waits
        self._tokens = tokens
        self._answer_waiting = answer_waiting
        self._enqueue = enqueue
        self._monotonic = monotonic
        self._quiet = Quiet(60.0)

    def __call__(self, registration: Registration) -> None:
        """Take over `registration`. Raises `MessageInvalid` for a Contact or ids beyond use, `BusUnavailable`."""
        if not registration.active:
            return  # A sleeping phone whose binding ran out stays reachable by push.
        reading = read(registration, self._rules(), self._settings.app)
        if reading.refusal is not None:
            self._count_refusal(reading.refusal, reading.device)
        # Of a refused phone without token, the token in its device's document may be waited for.
        if reading.token or reading.registration_token or (reading.refusal and reading.device):
            arrival = self._arrive(reading)
            self._answer_waiting(arrival.waits)
            learned, device = reading.push_object, reading.device
            if learned is not None and device is not None and arrival.learned != learned.digest:
                self._learn(device, learned, registration)
        # What is wrong is told last: the phone is awake, and its callers come first.
        if reading.problem is not None:
            raise reading.problem

    def _learn(self, device: Device, learned: PushObject, registration: Registration) -> None:
        self._enqueue.learn(device, learned)
        event(
            log,
            logging.INFO,
            "device changed its push token",
            call_id=registration.call_id,
            account=device.account_id,
            device=device.device_id,
            token=fingerprint(learned.token),
        )
        try:
            # Not before the task is safe: marked and not enqueued, the phone would not be learned for ten minutes.
            self._tokens.mark_queued(device, learned.digest)
        except StoreUnavailable:
            # The next registration becomes a task too, which changes nothing.
            return

    def _count_refusal(self, refusal: Refusal, device: Device | None) -> None:
        """Count a phone that is not learned, and tell of its reason once a minute, with one phone as example."""
        times = self._quiet.count(refusal.reason, self._monotonic())
        if times:
            event(
                log,
                logging.INFO if refusal.reason in _NO_FAULT else logging.WARNING,
                "phone not learned",
                reason=refusal.reason,
                provider=refusal.provider,
                app=refusal.app_id,
                account=None if device is None else device.account_id,
                device=None if device is None else device.device_id,
                times=times,
                detail=refusal.sentence,
            )

    def _rules(self) -> tuple[UserAgentRule, ...]:
        try:
            return self._settings.user_agents()
        except DocumentsUnavailable as error:
            self._warn("no User-Agents known, the documents store is away", error)
            return ()

    def _arrive(self, reading: Reading) -> Arrival:
        learned = reading.push_object
        try:
            return self._waits.arrive(
                token=reading.token,
                registration_token=reading.registration_token,
                device=reading.device,
                digest=None if learned is None else learned.digest,
            )
        except StoreUnavailable as error:
            self._warn("nobody can be answered, Redis is away", error)
            return Arrival(waits=(), learned=None)

    def _warn(self, message: str, error: Exception) -> None:
        if self._quiet.due(message, self._monotonic()):
            event(log, logging.WARNING, message, error=str(error))
