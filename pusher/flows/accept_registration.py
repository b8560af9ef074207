"""reg_success arrived: answer the calls that waited for these phones, and hand on what their registrations teach.

Most registrations are desk phones (one regular expression) or phones that push and did not change (that, and a share of
one Redis round trip); neither becomes a task.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from pusher.errors import DocumentsUnavailable, MessageInvalid, StoreUnavailable
from pusher.flows.answer_waiting import AnswerWaiting
from pusher.logs import Quiet, event
from pusher.messages.registration import Registration
from pusher.ports import Arrival, AwakePhone, Enqueue, Settings, Tokens, Waits
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

    def __call__(self, registrations: Sequence[Registration]) -> list[MessageInvalid | None]:
        """Take over `registrations`; return for each what is wrong with it, such as a Contact or ids beyond use.

        Raises `BusUnavailable`.
        """
        rules = self._rules()
        # A sleeping phone whose binding ran out stays reachable by push.
        readings = [read(each, rules, self._settings.app) if each.active else Reading() for each in registrations]
        for reading in readings:
            if reading.refusal is not None:
                self._count_refusal(reading.refusal, reading.device)
        pushing = [(each, reading) for each, reading in zip(registrations, readings, strict=True) if _may_push(reading)]
        if pushing:
            phones = [_awake(reading) for _, reading in pushing]
            arrivals = self._arrive(phones)
            # What else there is to do comes later: the phones are awake, and their callers come first.
            self._answer_waiting([wait for arrival in arrivals for wait in arrival.waits])
            # Of a device that registered twice, what it said last.
            changed = {
                phone.device: (reading.push_object, registration)
                for phone, arrival, (registration, reading) in zip(phones, arrivals, pushing, strict=True)
                if phone.device and reading.push_object and phone.digest != arrival.learned
            }
            if changed:
                self._learn(changed)
        return [reading.problem for reading in readings]

    def _learn(self, changed: Mapping[Device, tuple[PushObject, Registration]]) -> None:
        self._enqueue.learn({device: learned for device, (learned, _) in changed.items()})
        for device, (learned, registration) in changed.items():
            event(
                log,
                logging.INFO,
                "device changed its push token",
                call_id=registration.call_id,
                account=device.account_id,
                device=device.device_id,
                token=fingerprint(learned.token),
            )
            # Not before the task is safe: marked and not enqueued, the phone would not be learned for ten minutes.
            # Without the mark, the next registration becomes a task too, which changes nothing.
            with suppress(StoreUnavailable):
                self._tokens.mark_queued(device, learned.digest)

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

    def _arrive(self, phones: Sequence[AwakePhone]) -> list[Arrival]:
        try:
            return self._waits.arrive(*phones)
        except StoreUnavailable as error:
            self._warn("nobody can be answered, Redis is away", error)
            return [Arrival(waits=(), learned=None)] * len(phones)

    def _warn(self, message: str, error: Exception) -> None:
        if self._quiet.due(message, self._monotonic()):
            event(log, logging.WARNING, message, error=str(error))


def _may_push(reading: Reading) -> bool:
    """Tell whether calls may wait for the phone, or something is learned of it."""
    # Of a refused phone without token, the token in its device's document may be waited for.
    return bool(reading.token or reading.registration_token or (reading.refusal and reading.device))


def _awake(reading: Reading) -> AwakePhone:
    learned = reading.push_object
    return AwakePhone(
        token=reading.token,
        registration_token=reading.registration_token,
        device=reading.device,
        digest=None if learned is None else learned.digest,
    )
