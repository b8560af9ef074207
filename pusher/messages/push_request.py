"""push_req: Kamailio asks for a push to one device (facts: kazoo.md 2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pusher.errors import MessageInvalid
from pusher.messages import fields

#: Seconds in `Expires`: four weeks, the longest any provider keeps a push (FCM).
MAX_EXPIRES_S = 4 * 7 * 86_400
#: The largest badge a 32-bit app can show.
MAX_BADGE = 2**31 - 1
#: Bytes of an AMQP routing key (AMQP 0-9-1, shortstr): an answer to a longer Server-ID cannot be sent.
MAX_ROUTING_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRequest:
    """A checked push_req. Strings are never empty; what was absent or empty is None."""

    #: Token-ID: the device's push token, untrusted.
    token: str = field(repr=False)
    #: Token-Type as sent, such as `apple`; `push/routing.py` knows what it means.
    token_type: str
    #: Token-App: the app id.
    app_id: str
    #: Msg-ID, which alone decides the match of an answer.
    msg_id: str | None = None
    #: Server-ID: the routing key of the answer.
    server_id: str | None = None
    #: Call-ID of the SIP call.
    call_id: str | None = None
    #: Alert-Body, or Alert where that is a text.
    alert_body: str | None = field(default=None, repr=False)
    #: Alert-Key, a key of the app's localized strings.
    alert_key: str | None = None
    #: Alert-Params, the arguments of alert_key.
    alert_params: tuple[str, ...] = field(default=(), repr=False)
    #: Sound, the name of a sound file in the app.
    sound: str | None = None
    #: Badge, the number on the app's icon.
    badge: int | None = None
    #: Payload: passed on to the app.
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)
    #: Expires: seconds after arrival for which the push is worth sending.
    expires_s: float | None = None
    #: Account-ID of the device.
    account_id: str | None = None
    #: Endpoint-ID: the device's document id.
    device_id: str | None = None
    #: Token-Reg, or Payload's registration-token: lets a REGISTER in without a password.
    registration_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """Return what the fields of a push_req say. Raises `MessageInvalid`.

        An Expires of zero or less is kept: such a push came too late, which is no fault of the message.
        """
        alert = _alert(message)
        payload = fields.json_object(message, "Payload")
        return cls(
            token=fields.text(message, "Token-ID", max_length=fields.MAX_TOKEN),
            token_type=fields.text(message, "Token-Type"),
            app_id=fields.text(message, "Token-App"),
            msg_id=fields.optional_text(message, "Msg-ID"),
            server_id=_server_id(message),
            call_id=fields.optional_text(message, "Call-ID"),
            alert_body=fields.optional_text(message, "Alert-Body") or fields.optional_text(alert, "Alert.body"),
            alert_key=fields.optional_text(message, "Alert-Key") or fields.optional_text(alert, "Alert.loc-key"),
            alert_params=fields.text_list(message, "Alert-Params") or fields.text_list(alert, "Alert.loc-args"),
            sound=fields.optional_text(message, "Sound"),
            badge=fields.integer(message, "Badge", at_most=MAX_BADGE),
            payload=payload,
            expires_s=fields.number(message, "Expires", at_most=MAX_EXPIRES_S),
            account_id=fields.optional_text(message, "Account-ID"),
            device_id=fields.optional_text(message, "Endpoint-ID"),
            registration_token=fields.optional_text(message, "Token-Reg", max_length=fields.MAX_TOKEN)
            or fields.lenient_text(payload, "registration-token"),
        )

    def to_message(self) -> dict[str, Any]:
        """Return the fields from which `from_message` makes an equal value, without the default headers."""
        message = {
            "Token-ID": self.token,
            "Token-Type": self.token_type,
            "Token-App": self.app_id,
            "Msg-ID": self.msg_id,
            "Server-ID": self.server_id,
            "Call-ID": self.call_id,
            "Alert-Body": self.alert_body,
            "Alert-Key": self.alert_key,
            "Alert-Params": list(self.alert_params) if self.alert_params else None,
            "Sound": self.sound,
            "Badge": self.badge,
            "Payload": dict(self.payload) if self.payload else None,
            "Expires": self.expires_s,
            "Account-ID": self.account_id,
            "Endpoint-ID": self.device_id,
            "Token-Reg": self.registration_token,
        }
        return {key: value for key, value in message.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedRequest:
    """A push_req as it came off the bus."""

    request: PushRequest
    #: Epoch seconds.
    received_at: float
    #: Whether it came before, so that its push may be out already.
    again: bool


def _alert(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return Alert as the parts of APNs' alert dictionary; a plain text is its body."""
    alert = message.get("Alert")
    if not isinstance(alert, Mapping):
        return {"Alert.body": alert}
    return {f"Alert.{key}": alert.get(key) for key in ("body", "loc-key", "loc-args")}


def _server_id(message: Mapping[str, Any]) -> str | None:
    """Return Server-ID. Raises `MessageInvalid` for one that no routing key can be made of."""
    server_id = fields.optional_text(message, "Server-ID")
    if server_id is not None and len(server_id.encode("utf-8", "replace")) > MAX_ROUTING_KEY:
        raise MessageInvalid("Server-ID", f"is longer than {MAX_ROUTING_KEY} bytes")
    return server_id
