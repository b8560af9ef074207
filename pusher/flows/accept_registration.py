"""A reg_success arrived: answer the calls that waited for this phone, and hand on what its registration teaches.

Most registrations are desk phones (one regular expression) or phones that push and did not change (that, and one Redis
round trip); neither becomes a task.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from pusher.errors import DocumentsUnavailable, MessageInvalid, StoreUnavailable
from pusher.flows.answer_waiting import AnswerWaiting
from pusher.logs import Quiet, event
from pusher.messages.registration import Registration
from pusher.ports import Arrival, Enqueue, Settings, Waits
from pusher.redact import fingerprint
from pusher.registration import contact, push_object
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from pusher.registration.user_agents import UserAgentRule, first_match

log = logging.getLogger("pusher.flows")

T = TypeVar("T")


class AcceptRegistration:
    """Runs in the listener."""

    def __init__(
        self,
        *,
        settings: Settings,
        waits: Waits,
        answer_waiting: AnswerWaiting,
        enqueue: Enqueue,
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._waits = waits
        self._answer_waiting = answer_waiting
        self._enqueue = enqueue
        self._monotonic = monotonic
        self._quiet = Quiet(60.0)

    def __call__(self, registration: Registration) -> None:
        """Take over `registration`. Raises `MessageInvalid` for a Contact or ids beyond use, `BusUnavailable`."""
        if not registration.active:
            return  # A sleeping phone whose binding ran out stays reachable by push.
        rule = first_match(self._rules(), registration.user_agent)
        if rule is None and not push_object.may_hold_registration_token(registration):
            return
        # What is wrong is told last: the phone is awake, and its callers come first.
        problems: list[MessageInvalid] = []
        parsed = _unless_invalid(problems, lambda: contact.parse(registration.contact)) or ()
        bindings = push_object.live(parsed)
        if parsed and not bindings:
            return
        token = None if rule is None else push_object.token(rule, bindings)
        learned = _unless_invalid(problems, lambda: _read(rule, bindings, registration))
        device = _unless_invalid(problems, lambda: Device.of(registration.account_id, registration.device_id))
        registration_token = push_object.registration_token(bindings, registration)
        if token is not None or registration_token is not None:
            arrival = self._arrive(token, registration_token, device if learned else None, learned)
            self._answer_waiting(arrival.waits)
            if learned is not None and device is not None and arrival.learned != learned.digest:
                self._learn(device, learned, registration)
        if problems:
            raise problems[0]

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

    def _rules(self) -> tuple[UserAgentRule, ...]:
        try:
            return self._settings.user_agents()
        except DocumentsUnavailable as error:
            self._warn("no User-Agents known, the documents store is away", error)
            return ()

    def _arrive(
        self, token: str | None, registration_token: str | None, device: Device | None, learned: PushObject | None
    ) -> Arrival:
        try:
            return self._waits.arrive(
                token=token,
                registration_token=registration_token,
                device=device,
                digest=None if learned is None else learned.digest,
            )
        except StoreUnavailable as error:
            self._warn("nobody can be answered, Redis is away", error)
            return Arrival(waits=(), learned=None)

    def _warn(self, message: str, error: Exception) -> None:
        if self._quiet.due(message, self._monotonic()):
            event(log, logging.WARNING, message, error=str(error))


def _read(
    rule: UserAgentRule | None, bindings: tuple[contact.ContactBinding, ...], registration: Registration
) -> PushObject | None:
    return None if rule is None else push_object.read(rule, bindings, registration.fields)


def _unless_invalid(problems: list[MessageInvalid], read: Callable[[], T]) -> T | None:
    """Return what `read` returns; what it finds wrong is added to `problems`."""
    try:
        return read()
    except MessageInvalid as problem:
        problems.append(problem)
        return None
