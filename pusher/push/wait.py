"""A call that waits for its phone to register."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One push_req that wants an answer. Lives in Redis until it is claimed or its deadline passes."""

    #: The push this call caused.
    push_id: str
    #: Routing key and Msg-ID of the answer.
    server_id: str
    msg_id: str
    #: Found by the push token of a registration, ...
    token: str = field(repr=False)
    #: ... or by the token that let the REGISTER in.
    registration_token: str | None = field(repr=False)
    call_id: str | None
    app_id: str
    provider: str
    #: Epoch seconds.
    received_at: float
    #: Epoch seconds.
    expires_at: float
