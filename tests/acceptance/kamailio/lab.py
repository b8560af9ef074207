"""A whole platform: Pusher's real processes, Kamailio with the configuration of docs/kamailio, sipp for FreeSWITCH."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from pusher.simulators.sip_handset import SIPHandset
from pusher.simulators.stage import AppKind
from tests.acceptance.kamailio import scenario
from tests.acceptance.system import System, running_system
from tests.support.kamailio import Kamailio
from tests.support.rabbitmq import RabbitMQ
from tests.support.sipp import Call

HERE = Path(__file__).parent
REALM = "acme.sip.example.com"
PASSWORD = "correct horse"
#: Users whose REGISTER Kamailio lets in with that password: u0, u1, ...
USERS = 100


class Flavour(StrEnum):
    """How a call waits for its phone; the value is what the configuration must define."""

    WAITS_FOR_ANSWER = ""
    RESUMES_ON_REGISTER = "#!define PUSH_RESUME_ON_REGISTER"


class Lab:
    """Calls go from sipp through Kamailio to handsets of `system.stage`."""

    def __init__(
        self, folder: Path, system: System, kamailio: Kamailio, flavour: Flavour, on_the_bus: Callable[[], bool]
    ) -> None:
        #: Tells whether Kamailio is connected, and all its queues are there.
        self.on_the_bus = on_the_bus
        self.system = system
        self.kamailio = kamailio
        self.flavour = flavour
        self._folder = folder
        self._numbers = itertools.count(1)
        #: Every phone there is.
        self.phones: list[SIPHandset] = []
        self._calls: list[Call] = []

    def phone(self, kind: AppKind, **options: Any) -> SIPHandset:
        """Return a new phone of this platform, asleep and not registered."""
        usual = {"proxy": self.kamailio.address, "user": f"u{len(self.phones)}", "password": PASSWORD}
        phone = self.system.stage.sip_handset(kind, **(usual | options))
        self.phones.append(phone)
        return phone

    def call(
        self,
        phone: SIPHandset,
        *,
        scenario: str = scenario.TALKS,
        pause_s: float = 0.1,
        caller: str = '"Bob"',
        wake_window_s: float = 20.0,
        **keys: str,
    ) -> Call:
        """Have `caller`, a display name as it stands in the From, call `phone`. `keys` replace keys of the scenario."""
        usual = {
            "aor": f"{phone.user}@{phone.realm}",
            "caller": caller,
            "caller_uri": "sip:+15551230000@freeswitch.example.com",
            "token_id": phone.token,
            "token_type": phone.token_type,
            "token_app": phone.app_id,
            "wake_window_ms": str(int(wake_window_s * 1000)),
        }
        folder = self._folder / f"call-{next(self._numbers)}"
        call = Call(folder, scenario, self.kamailio.address, usual | keys, pause_s=pause_s)
        self._calls.append(call)
        return call

    def push_data(self, phone: SIPHandset) -> dict[str, str]:
        """Return the data of the only push that FCM took for `phone`."""
        (message,) = [each for each in self.system.stage.fcm.accepted if each.token == phone.token]
        data: dict[str, str] = message.message["data"]
        return data

    def expects(self, complaint: str) -> bool:
        """Tell whether nobody can do anything about `complaint`: the module resumes calls whose caller hung up."""
        return self.flavour is Flavour.WAITS_FOR_ANSWER and "active transaction not found" in complaint

    def close(self) -> None:
        """Give up the calls that are not over."""
        for call in self._calls:
            call.close()


def configuration(flavour: Flavour, bus_url: str) -> list[str]:
    """Return the lines of Kamailio's configuration, all but the port."""
    return [flavour, f'#!substdef "!LAB_BUS_URL!{bus_url}!g"', f'include_file "{HERE}/lab.cfg"', *users()]


def users() -> list[str]:
    """Return the part of Kamailio's configuration that makes the users of the realm known."""
    lines = ["event_route[htable:mod-init] {"]
    lines.append(f'    $sht(lab_account=>{REALM}) = "{uuid.uuid5(uuid.NAMESPACE_DNS, REALM).hex}";')
    for name in (f"u{number}" for number in range(USERS)):
        device = uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{REALM}").hex
        lines.append(f'    $sht(lab_password=>{name}@{REALM}) = "{PASSWORD}";')
        lines.append(f'    $sht(lab_device=>{name}@{REALM}) = "{device}";')
    return [*lines, "}"]


def channels(rabbitmq: RabbitMQ, bus_url: str) -> list[int]:
    """Return how many channels each of Kamailio's two connections to this virtual host has open."""
    vhost = bus_url.rpartition("/")[2]
    said = rabbitmq.eval(
        f"[proplists:get_value(channels, I) || I <- rabbit_networking:connection_info_all([vhost, channels, "
        f'client_properties]), proplists:get_value(vhost, I) == <<"{vhost}">>, {{<<"product">>, longstr, '
        f'<<"rabbitmq-c">>}} == lists:keyfind(<<"product">>, 1, proplists:get_value(client_properties, I))]'
    )
    return [int(number) for number in said.strip("[]").split(",") if number]


def on_the_bus(rabbitmq: RabbitMQ, bus_url: str) -> bool:
    """Tell whether Kamailio is connected, and all its queues are there."""
    # Five for replies on either connection, and one for the subscription of docs/kamailio/pusher.cfg.
    return sorted(channels(rabbitmq, bus_url)) == [5, 6]


@contextmanager
def running_lab(folder: Path, rabbitmq: RabbitMQ, bus_url: str, redis_url: str, flavour: Flavour) -> Iterator[Lab]:
    """Yield a lab whose calls are answered."""

    def ready() -> bool:
        return on_the_bus(rabbitmq, bus_url)

    kamailio = Kamailio(folder, configuration(flavour, bus_url), ready=ready)
    with running_system(folder, bus_url, redis_url) as system:
        lab = Lab(folder, system, kamailio, flavour, ready)
        try:
            kamailio.start()
            yield lab
        finally:
            lab.close()
            kamailio.close()
