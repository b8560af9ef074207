"""Calls, phones and apps: carries out the steps of a plan in a thread of its own, and notes what it did."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pusher.bus.topology import PUSHES, REGISTRAR
from pusher.simulators.handset import HandsetSimulator
from pusher.simulators.proxy import Call, ProxySimulator
from pusher.simulators.stage import AppKind, Stage
from tests.soak.pace import Pace
from tests.soak.plan import BEHAVIOURS, PHONES, Do, Role, Step, role_of
from tests.soak.publisher import WatchedPublisher
from tests.soak.record import Expect

#: What no listener understands, each in its own way.
MALFORMED = (
    b"\xff\xfe no JSON",
    b"[]",
    b'{"Event-Category": "notification", "Event-Name": "push_req"}',
    b'{"Event-Category": "notification", "Event-Name": "push_req", "Token-ID": 7, "Token-Type": "apple"}',
    b'{"Event-Category": "directory", "Event-Name": "reg_success"}',
)
_MALFORMED_TOKEN = "../../etc/passwd"


@dataclass
class SoakPhone:
    """A phone of the soak, and what is known of its app."""

    kind: AppKind
    role: Role
    handset: HandsetSimulator
    #: When which of its tokens died.
    deaths: dict[str, float] = field(default_factory=dict)

    @property
    def dead(self) -> bool:
        """Whether its app is removed."""
        return self.handset.token in self.deaths

    @property
    def provider(self) -> str:
        """`apple` or `firebase`."""
        return self.kind.token_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A call that was made."""

    call: Call
    call_id: str
    phone: SoakPhone
    token: str = field(repr=False)
    expect: Expect


class Driver:
    """Makes the phones; `run` plays a plan's steps."""

    def __init__(self, stage: Stage, proxy: ProxySimulator, publisher: WatchedPublisher) -> None:
        self._stage = stage
        self._proxy = proxy
        self._publisher = publisher
        self._stopping = threading.Event()
        self._numbers = 0
        #: What was sent malformed, as bytes.
        self.malformed: set[bytes] = set(MALFORMED)
        self.placed: list[Placed] = []
        self.phones = [self._phone(number) for number in range(PHONES)]

    def register_all(self) -> None:
        """Have every phone register whose token lives."""
        for phone in self.phones:
            if not phone.dead:
                phone.handset.register()

    def run(self, steps: Sequence[Step], pace: Pace) -> None:
        """Take `steps` at their times; late ones at once."""
        for step in steps:
            while not self._stopping.is_set() and (early_s := step.at - pace.passed_s) > 0:
                self._stopping.wait(min(0.1, early_s))
            if self._stopping.is_set():
                return
            self._take(step, self.phones[step.phone])

    def stop(self) -> None:
        """Take no further step."""
        self._stopping.set()

    def forget(self) -> None:
        """Drop what was noted so far."""
        self.placed = []
        self._proxy.forget()
        self._publisher.publications = {}
        latest = {each.device: each for each in self._publisher.registrations}
        self._publisher.registrations = list(latest.values())

    def _phone(self, number: int) -> SoakPhone:
        kind = list(AppKind)[number % 3]
        role = role_of(number)
        handset = self._stage.handset(
            kind, wakes=role is not Role.SLEEPS, wake_delay_s=0.05 * (number % 7), user=f"soak{number}"
        )
        return SoakPhone(kind=kind, role=role, handset=handset)

    def _take(self, step: Step, phone: SoakPhone) -> None:
        match step.do:
            case Do.CALL | Do.CALL_UNKNOWN_APP | Do.CALL_UNKNOWN_TYPE | Do.CALL_MALFORMED_TOKEN:
                self._call(step, phone)
            case Do.MALFORMED_MESSAGE:
                self._mumble()
            case Do.REGISTER:
                if not phone.dead:
                    phone.handset.register()
            case Do.NEW_TOKEN:
                self._stage.renew_token(phone.handset, phone.kind)
                phone.handset.register()
            case Do.NEW_TOKEN_ASLEEP:
                # One that never wakes would never say so, and neither would one whose former token is dead.
                if phone.role is Role.WAKES:
                    self._stage.renew_token(phone.handset, phone.kind)
            case Do.UNINSTALL:
                self._kill(phone)

    def _call(self, step: Step, phone: SoakPhone) -> None:
        self._numbers += 1
        call_id = f"soak-{self._numbers}@127.0.0.1"
        token = self._token_of(phone)
        extra: dict[str, object] = {"Call-ID": call_id}
        expect = Expect.PUSHED
        match step.do:
            case Do.CALL_UNKNOWN_APP:
                extra["Token-App"], expect = "org.unknown", Expect.UNKNOWN_APP
            case Do.CALL_UNKNOWN_TYPE:
                extra["Token-Type"], expect = "pigeon", Expect.UNKNOWN_TYPE
            case Do.CALL_MALFORMED_TOKEN:
                extra["Token-ID"], expect = _MALFORMED_TOKEN, Expect.MALFORMED_TOKEN
            case _ if token in phone.deaths:
                expect = Expect.DEAD_TOKEN
        provider = self._stage.fcm if phone.kind is AppKind.FIREBASE else self._stage.apns
        for behaviour in BEHAVIOURS[step.behaviour] if step.behaviour else ():
            provider.next(behaviour, token=call_id)
        call = self._proxy.call(token=token, token_type=phone.provider, app_id=phone.kind, **extra)
        self.placed.append(Placed(call=call, call_id=call_id, phone=phone, token=token, expect=expect))

    def _token_of(self, phone: SoakPhone) -> str:
        """Return what stands in its document: the token that it registered with last."""
        return self._publisher.said.get(phone.handset.device_id, phone.handset.token)

    def _kill(self, phone: SoakPhone) -> None:
        """Have its app removed: the token is dead, and the phone registers with it no more."""
        if phone.dead or self._token_of(phone) != phone.handset.token:
            return
        phone.deaths[phone.handset.token] = time.time()
        provider = self._stage.fcm if phone.kind is AppKind.FIREBASE else self._stage.apns
        provider.kill_token(phone.handset.token)

    def _mumble(self) -> None:
        self._numbers += 1
        body = MALFORMED[self._numbers % len(MALFORMED)]
        exchange, key = (
            (REGISTRAR, "registration.success.acme.u") if b"reg_success" in body else (PUSHES, "notification.push.x.y")
        )
        self._publisher.say(exchange, key, body)


def document_of(handset: HandsetSimulator) -> dict[str, object]:
    """Return the document of its device as Kazoo makes it."""
    return {"_id": handset.device_id, "pvt_type": "device", "name": "Ann's phone"}


def msg_id_in(body: bytes) -> str | None:
    """Return the Msg-ID in a message, None where it cannot be read."""
    try:
        fields = json.loads(body)
    except ValueError:
        return None
    return fields.get("Msg-ID") if isinstance(fields, dict) else None
