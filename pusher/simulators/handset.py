"""A stand-in for a softphone and its registrar: sleeps until its push comes, then registers (facts: kazoo.md 3)."""

import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import REGISTRAR
from pusher.messages.registration import registration_routing_key

#: What makes the handsets below known to Pusher: their User-Agents rule in the pusher document.
USER_AGENT_RULE: Mapping[str, Any] = {
    "regex": "^ExamplePhone",
    "properties": {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"},
}


class HandsetSimulator:
    """One device of one account; registers through the bus as Kamailio announces it."""

    def __init__(
        self,
        publisher: BusPublisher,
        *,
        token: str,
        token_type: str,
        app_id: str,
        user: str = "2001",
        realm: str = "acme.sip.example.com",
        wakes: bool = True,
        wake_delay_s: float = 0.0,
    ) -> None:
        self.token = token
        self.token_type = token_type
        self.app_id = app_id
        self.account_id = uuid.uuid5(uuid.NAMESPACE_DNS, realm).hex
        self.device_id = uuid.uuid5(uuid.NAMESPACE_DNS, f"{user}.{realm}").hex
        self._publisher = publisher
        self._user = user
        self._realm = realm
        self._wakes = wakes
        self._wake_delay_s = wake_delay_s
        self._timers: list[threading.Timer] = []
        #: `time.monotonic()` seconds of every push that reached it.
        self.pushed_at: list[float] = []
        #: `time.monotonic()` seconds of every registration caused by a push.
        self.woken_at: list[float] = []

    def pushed(self, payload: Mapping[str, Any]) -> None:
        """Note a push with `payload`, and wake up by it unless this phone sleeps too deeply."""
        self.pushed_at.append(time.monotonic())
        if self._wakes:
            self.wake(payload)

    def wake(self, payload: Mapping[str, Any]) -> None:
        """Take the push with `payload` and register, after the time a phone needs to wake. Returns at once."""
        registration_token = payload.get("registration-token")
        timer = threading.Timer(self._wake_delay_s, self._woken, [registration_token])
        self._timers.append(timer)
        timer.start()

    def close(self) -> None:
        """Wait for what a push set off."""
        for timer in self._timers:
            timer.join()

    def _woken(self, registration_token: str | None) -> None:
        self.woken_at.append(time.monotonic())
        self.register(registration_token=registration_token)

    def contact(self, registration_token: str | None = None) -> str:
        """Return the Contact header of its REGISTER."""
        let_in_by = f";x-token-reg={registration_token}" if registration_token else ""
        return (
            f'"Ann \\"A\\" O\'Neil" <sip:{self._user}@127.0.0.1:15090;transport=udp>;app-id={self.app_id}'
            f";pn-type={self.token_type};pn-tok={self.token}{let_in_by}"
            ';+sip.instance="<urn:uuid:00000000-0000-4000-8000-0000deadbeef>";expires=600'
        )

    def register(self, *, registration_token: str | None = None, **changes: object) -> None:
        """Announce a registration; `changes` replace keys of the message."""
        message: dict[str, object] = {
            "Event-Category": "directory",
            "Event-Name": "reg_success",
            "Status": "Registered",
            "Event-Timestamp": int(time.time()),
            "Expires": 600,
            "First-Registration": True,
            "Contact": self.contact(registration_token),
            "Call-ID": f"{uuid.uuid4().hex}@phone",
            "Realm": self._realm,
            "Username": self._user,
            "User-Agent": 'ExamplePhone/3.2 (Android 14; "Pixel 8")',
            "Custom-Channel-Vars": {
                "Account-ID": self.account_id,
                "Authorizing-ID": self.device_id,
                "Authorizing-Type": "device",
            },
            "Proxy-Path": "sip:127.0.0.1:5060;transport=udp",
            "Source-IP": "127.0.0.1",
            "Source-Port": "15090",
            "App-Name": "kamailio",
            "App-Version": "5.6.3",
            "Node": "kamailio@simulator",
            "Msg-ID": str(uuid.uuid4()),
        }
        key = registration_routing_key(self._realm, self._user)
        self._publisher.publish_json(REGISTRAR, key, message | changes)
