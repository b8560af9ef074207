"""What the two handset simulators share: who the phone is, its Contact, and waking up by a push."""

import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

#: What both kinds of handset say they are (facts: kazoo.md 6).
USER_AGENT = 'ExamplePhone/3.2 (Android 14; "Pixel 8")'


class Phone(ABC):
    """One device of one account that a push may wake."""

    def __init__(
        self, *, token: str, token_type: str, app_id: str, user: str, realm: str, wakes: bool, wake_delay_s: float
    ) -> None:
        self.token = token
        self.token_type = token_type
        self.app_id = app_id
        self.user = user
        self.realm = realm
        self.account_id = uuid.uuid5(uuid.NAMESPACE_DNS, realm).hex
        self.device_id = uuid.uuid5(uuid.NAMESPACE_DNS, f"{user}.{realm}").hex
        #: Of this very device, though another may have the same user.
        self.instance = f"urn:uuid:{uuid.uuid4()}"
        self._wakes = wakes
        self._wake_delay_s = wake_delay_s
        self._alarms: list[threading.Timer] = []
        self._setting_alarm = threading.Lock()
        self._closing = threading.Event()
        #: `time.monotonic()` seconds of every push that reached it.
        self.pushed_at: list[float] = []
        #: `time.monotonic()` seconds of every awakening by a push, just before it registers.
        self.woken_at: list[float] = []

    def pushed(self, payload: Mapping[str, Any]) -> None:
        """Note a push with `payload`, and wake up by it unless this phone sleeps too deeply."""
        self.pushed_at.append(time.monotonic())
        if self._wakes:
            self._wake_by(payload)

    def close(self) -> None:
        """Finish a wake-up under way; one that is due later never comes, nor does one by a later push."""
        with self._setting_alarm:
            self._closing.set()
        for alarm in self._alarms:
            alarm.cancel()
            alarm.join()

    def contact(
        self, address: str, *, registration_token: str | None, expires_s: int, push_params: str | None = None
    ) -> str:
        """Return the Contact of its REGISTER, as it is in facts: kazoo.md 6.

        `address` is `host:port`. `push_params` stands where the push parameters of the URI and, behind a `>`, those
        of the header belong, and begins with `;` or `>`.
        """
        usual = f">;app-id={self.app_id};pn-type={self.token_type};pn-tok={self.token}"
        of_uri, _, of_header = (usual if push_params is None else push_params).partition(">")
        let_in_by = f";x-token-reg={registration_token}" if registration_token else ""
        return (
            f'"Ann \\"A\\" O\'Neil" <sip:{self.user}@{address};transport=udp{of_uri}>{of_header}{let_in_by}'
            f';+sip.instance="<{self.instance}>";expires={expires_s}'
        )

    def _wake_by(self, payload: Mapping[str, Any]) -> None:
        """Take the push with `payload` and register, after the time a phone needs to wake. Returns at once."""
        alarm = threading.Timer(self._wake_delay_s, self._wake_and_register, [payload.get("registration-token")])
        with self._setting_alarm:
            if not self._closing.is_set():
                # Those that have rung are let go: a phone of a long test is called thousands of times.
                self._alarms = [each for each in self._alarms if each.is_alive()]
                self._alarms.append(alarm)
                alarm.start()

    def _wake_and_register(self, registration_token: str | None) -> None:
        self.woken_at.append(time.monotonic())
        self._register_awake(registration_token)

    @abstractmethod
    def _register_awake(self, registration_token: str | None) -> None:
        """Be awake, and register with what the push brought."""
