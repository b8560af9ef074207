"""What is to happen, as a function of the seed: who calls whom when, what providers do then, which fault strikes when.

Pure: the same seed and length give the same plan, whatever became of the last one.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from h2.errors import ErrorCodes

from pusher.simulators import misbehaviour as be

#: Steps a second: calls, registrations and what else phones and apps do.
STEPS_PER_S = 20.0
#: Seconds between two faults, on average.
FAULT_EVERY_S = 3.5
#: Phones; each tenth sleeps too deeply to wake, another tenth loses its token now and then.
PHONES = 120


class Fault(StrEnum):
    """What happens to servers and processes."""

    WORKER_KILLED = "worker killed"
    WORKER_RESTARTED = "worker restarted"
    BOTH_WORKERS_KILLED = "both workers killed"
    LISTENER_KILLED = "listener killed"
    LISTENER_RESTARTED = "listener restarted"
    SECOND_LISTENER = "second listener, then killed"
    BROKER_RESTARTED = "RabbitMQ restarted"
    BROKER_KILLED = "RabbitMQ killed"
    CONNECTIONS_CLOSED = "RabbitMQ closed all connections"
    REDIS_FLUSHED = "Redis flushed"
    REDIS_AWAY = "Redis away"
    REDIS_HANGS = "Redis hangs"
    DOCUMENTS_AWAY = "documents away"
    DOCUMENTS_HANG = "documents hang"
    APPLE_AWAY = "APNs refuses connections"
    FIREBASE_AWAY = "FCM refuses connections"
    APPLE_ONE_STREAM = "APNs allows one stream"
    FIREBASE_ONE_STREAM = "FCM allows one stream"
    APPLE_GOES_AWAY = "APNs says GOAWAY everywhere"
    FIREBASE_RESETS = "FCM resets every connection"


#: Seconds that each lasts, at least and at most; what strikes the same thing has the same name.
LASTS: Mapping[Fault, tuple[str, float, float]] = {
    Fault.WORKER_KILLED: ("workers", 0.2, 2.0),
    Fault.WORKER_RESTARTED: ("workers", 0.0, 1.0),
    Fault.BOTH_WORKERS_KILLED: ("workers", 0.0, 3.0),
    Fault.LISTENER_KILLED: ("listeners", 0.0, 2.0),
    Fault.LISTENER_RESTARTED: ("listeners", 0.0, 1.0),
    Fault.SECOND_LISTENER: ("second listener", 2.0, 10.0),
    Fault.BROKER_RESTARTED: ("broker", 0.0, 1.0),
    Fault.BROKER_KILLED: ("broker", 0.0, 1.0),
    Fault.CONNECTIONS_CLOSED: ("broker", 0.0, 0.0),
    Fault.REDIS_FLUSHED: ("Redis", 0.0, 0.0),
    Fault.REDIS_AWAY: ("Redis", 0.0, 1.5),
    Fault.REDIS_HANGS: ("Redis", 0.5, 2.5),
    Fault.DOCUMENTS_AWAY: ("documents", 1.0, 6.0),
    Fault.DOCUMENTS_HANG: ("documents", 1.0, 5.0),
    Fault.APPLE_AWAY: ("APNs", 0.5, 5.0),
    Fault.FIREBASE_AWAY: ("FCM", 0.5, 5.0),
    Fault.APPLE_ONE_STREAM: ("APNs", 1.0, 4.0),
    Fault.FIREBASE_ONE_STREAM: ("FCM", 1.0, 4.0),
    Fault.APPLE_GOES_AWAY: ("APNs", 0.0, 0.0),
    Fault.FIREBASE_RESETS: ("FCM", 0.0, 0.0),
}

_BUSY = be.Answer(status=503, reason="ServiceUnavailable")
_LATER = (("retry-after", "1"),)

#: What the requests of one call meet, one after the other.
BEHAVIOURS: Mapping[str, tuple[be.Behaviour, ...]] = {
    "503": (_BUSY,),
    "503 three times": (_BUSY,) * 3,
    "503 for ever": (_BUSY,) * 20,
    "503, Retry-After 1": (be.Answer(status=503, reason="Shutdown", headers=_LATER),),
    "429, Retry-After 1": (be.Answer(status=429, reason="TooManyRequests", headers=_LATER),),
    "429, Retry-After 60": (be.Answer(status=429, reason="TooManyRequests", headers=(("retry-after", "60"),)),),
    "500": (be.Answer(status=500, reason="InternalServerError"),),
    "slow": (be.Delay(delay_s=1.5),),
    "reset": (be.Reset(),),
    "reset after acceptance": (be.Reset(accept=True),),
    "refused stream": (be.REFUSE,),
    "refused stream for ever": (be.REFUSE,) * 30,
    "silence": (be.Silent(),),
    "silence after acceptance": (be.Silent(accept=True),),
    "cancelled stream": (be.Reset(error_code=ErrorCodes.CANCEL),),
    "half-close": (be.HalfClose(),),
    "half-close after acceptance": (be.HalfClose(accept=True),),
    "TCP reset": (be.Disconnect(),),
    "TCP reset after acceptance": (be.Disconnect(accept=True),),
    "garbage": (be.Garbage(),),
    "garbage after acceptance": (be.Garbage(accept=True),),
    "GOAWAY, processed": (be.GoAway(),),
    "GOAWAY, not processed": (be.GoAway(processed=False),),
    "GOAWAY that stays": (be.GoAway(closes=False, reason="Shutdown"),),
    "one stream": (be.LimitStreams(limit=1),),
}


class Do(StrEnum):
    """What one step does."""

    CALL = "call"
    CALL_UNKNOWN_APP = "call, unknown app"
    CALL_UNKNOWN_TYPE = "call, unknown token type"
    CALL_MALFORMED_TOKEN = "call, malformed token"
    MALFORMED_MESSAGE = "malformed message"
    REGISTER = "registration"
    #: The app has a new token and says so at once, ...
    NEW_TOKEN = "new token"
    #: ... or when the next push, to the former token, wakes it.
    NEW_TOKEN_ASLEEP = "new token, said on waking"
    UNINSTALL = "app removed"


#: How often each is drawn, of 100.
_STEPS: Mapping[Do, int] = {
    Do.CALL: 76,
    Do.CALL_UNKNOWN_APP: 2,
    Do.CALL_UNKNOWN_TYPE: 1,
    Do.CALL_MALFORMED_TOKEN: 2,
    Do.MALFORMED_MESSAGE: 2,
    Do.REGISTER: 9,
    Do.NEW_TOKEN: 5,
    Do.NEW_TOKEN_ASLEEP: 3,
}
#: Of calls, those whose requests meet a behaviour.
_TROUBLED = 0.12


class Role(StrEnum):
    """What kind of phone."""

    WAKES = "wakes"
    SLEEPS = "never wakes"
    #: Its app is removed now and then, and its token dies.
    REINSTALLED = "reinstalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault, `at` seconds after the beginning, that lasts `lasts_s`."""

    at: float
    fault: Fault
    lasts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What phone number `phone`, or who calls it, does `at` seconds after the beginning."""

    at: float
    do: Do
    phone: int
    #: A key of `BEHAVIOURS`; None: the provider does the right thing.
    behaviour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it, in order."""

    seconds: float
    strikes: tuple[Strike, ...]
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, seed: int, seconds: float, *, round_number: int = 0, fault_every_s: float = FAULT_EVERY_S) -> Self:
        """Return the plan for `seconds` seconds, with faults `fault_every_s` seconds apart on average."""
        rng = random.Random(f"{seed} {round_number}")
        return cls(
            seconds=seconds, strikes=tuple(_strikes(rng, seconds, fault_every_s)), steps=tuple(_steps(rng, seconds))
        )


def role_of(phone: int) -> Role:
    """Return what kind of phone number `phone` is."""
    return {0: Role.SLEEPS, 1: Role.REINSTALLED}.get(phone % 10, Role.WAKES)


def _strikes(rng: random.Random, seconds: float, every_s: float) -> Iterator[Strike]:
    """Every kind once before any comes again; nothing is struck again before it had two seconds to recover."""
    deck: list[Fault] = []
    free_at: dict[str, float] = {}
    at = rng.uniform(1.0, 2.0)
    while at < seconds - 2.0:
        deck = deck or rng.sample(list(Fault), len(Fault))
        fault = next((card for card in deck if free_at.get(LASTS[card][0], 0.0) <= at), None)
        if fault is not None:
            deck.remove(fault)
            target, least_s, most_s = LASTS[fault]
            lasts_s = min(rng.uniform(least_s, most_s), seconds - at)
            free_at[target] = at + lasts_s + 2.0
            yield Strike(at=at, fault=fault, lasts_s=lasts_s)
        at += rng.uniform(0.4, 1.6) * every_s


def _steps(rng: random.Random, seconds: float) -> Iterator[Step]:
    at = 0.0
    while (at := at + rng.expovariate(STEPS_PER_S)) < seconds:
        phone = rng.randrange(PHONES)
        (do,) = rng.choices(list(_STEPS), weights=list(_STEPS.values()))
        if role_of(phone) is Role.REINSTALLED and do is Do.REGISTER:
            do = Do.UNINSTALL
        behaviour = rng.choice(list(BEHAVIOURS)) if do is Do.CALL and rng.random() < _TROUBLED else None
        yield Step(at=at, do=do, phone=phone, behaviour=behaviour)
