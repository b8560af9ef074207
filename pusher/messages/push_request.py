"""push_req: Kamailio asks for a push to one device (facts: kazoo.md 2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
    alert_body: str | None = None
    #: Alert-Key, a key of the app's localized strings.
    alert_key: str | None = None
    #: Alert-Params, the arguments of alert_key.
    alert_params: tuple[str, ...] = ()
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
