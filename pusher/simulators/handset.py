"""A stand-in for a softphone and its registrar: sleeps until its push comes, then registers (facts: kazoo.md 3)."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import REGISTRAR
from pusher.messages.registration import registration_routing_key
from pusher.simulators.phone import USER_AGENT, Phone

#: What makes the handsets below known to Pusher: their User-Agents rule in the pusher document.
USER_AGENT_RULE: Mapping[str, Any] = {
    "regex": "^ExamplePhone",
    "properties": {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"},
}


class HandsetSimulator(Phone):
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
        super().__init__(
            token=token,
            token_type=token_type,
            app_id=app_id,
            user=user,
            realm=realm,
            wakes=wakes,
            wake_delay_s=wake_delay_s,
        )
        self._publisher = publisher

    def wake(self, payload: Mapping[str, Any]) -> None:
        """Take the push with `payload` and register, though this phone sleeps deeply. Returns at once."""
        self._wake_by(payload)

    def register(self, *, registration_token: str | None = None, **changes: object) -> None:
        """Announce a registration; `changes` replace keys of the message."""
        message: dict[str, object] = {
            "Event-Category": "directory",
            "Event-Name": "reg_success",
            "Status": "Registered",
            "Event-Timestamp": int(time.time()),
            "Expires": 600,
            "First-Registration": True,
            "Contact": self.contact("127.0.0.1:15090", registration_token=registration_token, expires_s=600),
            "Call-ID": f"{uuid.uuid4().hex}@phone",
            "Realm": self.realm,
            "Username": self.user,
            "User-Agent": USER_AGENT,
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
        key = registration_routing_key(self.realm, self.user)
        self._publisher.publish_json(REGISTRAR, key, message | changes)

    def _register_awake(self, registration_token: str | None) -> None:
        self.register(registration_token=registration_token)
