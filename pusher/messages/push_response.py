"""push_resp: Pusher answers the proxy that waits for a call's phone (facts: kazoo.md 4)."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResponse:
    """An answer: `registered`, or `failed` with a reason."""

    #: The request's Server-ID: the routing key on exchange `targeted`.
    server_id: str
    #: The request's Msg-ID.
    msg_id: str
    #: The request's Token-ID.
    token: str = field(repr=False)
    #: None: the phone registered. Else a `FailureReason` and a sentence.
    failure: tuple[str, str] | None = None
