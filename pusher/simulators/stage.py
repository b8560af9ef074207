"""A whole little world for `pusher demo` and the tests: both providers, three apps, and handsets that wake."""

import secrets
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pusher.bus.publisher import BusPublisher
from pusher.bus.tls import TLS
from pusher.simulators.apple import APNsSimulator
from pusher.simulators.authority import Authority
from pusher.simulators.firebase import FCMSimulator
from pusher.simulators.handset import USER_AGENT_RULE, HandsetSimulator
from pusher.simulators.phone import Phone
from pusher.simulators.sip_handset import SIPHandset
from pusher.simulators.sip_reply import SocketAddress
from pusher.simulators.token_server import TokenServer


class AppKind(StrEnum):
    """The three ways to reach a phone; the value is the app's id."""

    APPLE_KEY = "com.example.keyphone.voip.prod"
    APPLE_CERTIFICATE = "com.example.certphone.voip.prod"
    FIREBASE = "com.example.softphone"

    @property
    def topic(self) -> str:
        """The APNs topic, and the bundle id of the VoIP service."""
        return self.removesuffix(".prod")

    @property
    def token_type(self) -> str:
        """Token-Type as the app's phones register it."""
        return "firebase" if self is AppKind.FIREBASE else "apple"


class Stage:
    """Start it, or use it as a context manager."""

    def __init__(self, folder: Path, bus_url: str, *, tls: TLS | None = None) -> None:
        self.authority = Authority(folder)
        self.apns = APNsSimulator(self.authority, on_push=self._ring)
        self.token_server = TokenServer(self.authority)
        self.fcm = FCMSimulator(self.authority, self.token_server, on_push=self._ring)
        self.publisher = BusPublisher(bus_url, "kamailio@simulator", tls=tls)
        self._phones: dict[str, Phone] = {}

    def start(self) -> Self:
        """Listen on loopback and make the apps' credentials known."""
        self.token_server.start()
        self.apns.start()
        self.fcm.start()
        self.key = self.authority.auth_key("KEY1234567", "TEAM123456")
        self.apns.add_key(self.key.key_id, self.key.team_id, self.key.public_key)
        topic = AppKind.APPLE_CERTIFICATE.topic
        self.certificate = self.authority.client_certificate(topics=(topic,), bundle_id=topic.removesuffix(".voip"))
        self.account = self.authority.service_account("example-softphone", self.token_server.url)
        self.token_server.add_account(self.account)
        return self

    def close(self) -> None:
        """End the handsets, and stop the providers."""
        for phone in self._phones.values():
            phone.close()
        self.fcm.close()
        self.apns.close()
        self.token_server.close()
        self.publisher.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def pusher_document(self) -> dict[str, Any]:
        """Return the `pusher` document that makes the three apps and the handsets known (facts: kazoo.md 5)."""
        apns, fcm = f"127.0.0.1:{self.apns.port}", f"127.0.0.1:{self.fcm.port}"
        key = {"key_id": self.key.key_id, "team_id": self.key.team_id, "private_key": self.key.pem}
        return {
            "_id": "pusher",
            "default": {"User-Agents": {"ExamplePhone": dict(USER_AGENT_RULE)}},
            AppKind.APPLE_KEY: {"apple": {"token_key": key, "host": apns}},
            AppKind.APPLE_CERTIFICATE: {"apple": {"certificate": self.certificate.pem, "host": apns}},
            AppKind.FIREBASE: {"firebase": {"service_account": dict(self.account.fields), "host": fcm}},
        }

    def handset(
        self, kind: AppKind, *, wakes: bool = True, wake_delay_s: float = 0.0, **identity: str
    ) -> HandsetSimulator:
        """Return a new phone with a token of its own, which registers when its push comes, if it `wakes`."""
        token = self._new_token(kind)
        handset = HandsetSimulator(
            self.publisher,
            token=token,
            token_type=kind.token_type,
            app_id=kind,
            wakes=wakes,
            wake_delay_s=wake_delay_s,
            **{"user": f"u{len(self._phones)}", **identity},
        )
        self._phones[token] = handset
        return handset

    def sip_handset(
        self,
        kind: AppKind,
        *,
        proxy: SocketAddress,
        password: str,
        wakes: bool = True,
        wake_delay_s: float = 0.0,
        user: str | None = None,
        realm: str = "acme.sip.example.com",
        token: str | None = None,
        **options: Any,
    ) -> SIPHandset:
        """Return a new phone that listens for SIP and is woken by its push; `options` go to `SIPHandset`."""
        token = self._new_token(kind, token)
        handset = SIPHandset(
            proxy=proxy,
            token=token,
            token_type=kind.token_type,
            app_id=kind,
            user=f"u{len(self._phones)}" if user is None else user,
            realm=realm,
            password=password,
            wakes=wakes,
            wake_delay_s=wake_delay_s,
            **options,
        )
        self._phones[token] = handset.start()
        return handset

    def renew_token(self, handset: HandsetSimulator, kind: AppKind) -> None:
        """Give a phone a new token, as when its app was installed anew; a push to the former one still reaches it."""
        handset.token = self._new_token(kind)
        self._phones[handset.token] = handset

    def _new_token(self, kind: AppKind, token: str | None = None) -> str:
        """Return a token that the app's provider knows, `token` if given."""
        if kind is AppKind.FIREBASE:
            token = token or f"{secrets.token_urlsafe(16)}:APA91b{secrets.token_urlsafe(80)}"
            self.fcm.register_token(token, self.account.fields["project_id"])
        else:
            token = token or secrets.token_hex(32)
            self.apns.register_token(token, kind.topic)
        return token

    def _ring(self, token: str, payload: Mapping[str, Any], _headers: Mapping[str, str]) -> None:
        phone = self._phones.get(token)
        if phone is not None:
            # FCM hands over the whole message, APNs the payload.
            phone.pushed(payload.get("data", payload))

    def pushes_to(self, token: str) -> list[str]:
        """Return the provider's name of every push to `token` that it accepted."""
        apple = [push.apns_id for push in self.apns.accepted if push.token == token]
        return apple + [message.name for message in self.fcm.accepted if message.token == token]
