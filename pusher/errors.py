"""Every error that crosses one of Pusher's borders.

    PusherError
    ├── MessageInvalid        a bus message cannot be understood
    ├── SettingsInvalid       an environment variable or a setting cannot be used
    ├── CredentialInvalid     a certificate, key or service account cannot be used
    ├── TransportError        a provider gave no answer
    │   ├── NotProcessed      surely not acted upon: resending cannot double a push
    │   └── OutcomeUnknown    perhaps acted upon: resending may double a push
    ├── GrantFailed           no OAuth access token was granted
    ├── StoreUnavailable      Redis did not answer
    ├── BusUnavailable        the AMQP broker did not take a message
    ├── DocumentsUnavailable  the documents store did not answer
    ├── DocumentConflict      somebody else changed the document first
    └── DocumentMissing       the database or document does not exist

Foreign exceptions are translated at their edge and chained, so a caller that catches `PusherError` misses none.
"""


class PusherError(Exception):
    """The base of all; its text is one line and safe to log."""


class MessageInvalid(PusherError):
    """A bus message cannot be understood; `field` is the JSON key at fault, `problem` a phrase without its value."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class SettingsInvalid(PusherError):
    """A setting cannot be used; `name` is the environment variable or the path inside the pusher document."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


class CredentialInvalid(PusherError):
    """A certificate, key or service account cannot be used; the text says why and never quotes it."""


class TransportError(PusherError):
    """A provider gave no answer; the text says where it went wrong."""


class NotProcessed(TransportError):
    """The provider surely did not act on the request (RFC 9113 8.7), or it never left us."""


class OutcomeUnknown(TransportError):
    """The request left us and no answer came: the provider may have acted on it."""


class GrantFailed(PusherError):
    """No access token was granted; `ours` tells a refused credential from an unreachable token server."""

    def __init__(self, problem: str, *, ours: bool) -> None:
        super().__init__(problem)
        self.ours = ours


class StoreUnavailable(PusherError):
    """Redis did not answer; the work goes on without it."""


class BusUnavailable(PusherError):
    """The AMQP broker did not confirm a message; the caller must not acknowledge what it is about."""


class DocumentsUnavailable(PusherError):
    """The documents store did not answer; trying later may help."""


class DocumentConflict(PusherError):
    """The document changed since it was read: read again, apply again, save again."""


class DocumentMissing(PusherError):
    """The database or document does not exist; trying later does not help."""
