"""push_resp: Pusher answers the proxy that waits for a call's phone (facts: kazoo.md 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pusher.messages import envelope, fields


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

    def to_message(self, node: str) -> dict[str, Any]:
        """Return the fields of the push_resp that `node` (`pusher@<host>`) sends."""
        message = envelope.headers("notification", "push_resp", node, self.msg_id) | {"Token-ID": self.token}
        if self.failure is None:
            return message | {"Push-Status": "registered"}
        reason, sentence = self.failure
        return message | {"Push-Status": "failed", "Push-Reason": reason, "Error-Message": sentence}

    @classmethod
    def from_message(cls, message: Mapping[str, Any], server_id: str) -> Self:
        """Return what a push_resp to `server_id` says. Raises `MessageInvalid`.

        Without Push-Status it is Kazoo's own, which only ever says that the phone registered.
        """
        failed = fields.optional_text(message, "Push-Status") == "failed"
        return cls(
            server_id=server_id,
            msg_id=fields.text(message, "Msg-ID"),
            token=fields.text(message, "Token-ID", max_length=fields.MAX_TOKEN),
            failure=(fields.text(message, "Push-Reason"), fields.text(message, "Error-Message")) if failed else None,
        )
