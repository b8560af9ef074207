"""What a push app is: the typed form of one app in the `pusher` document (facts: kazoo.md 5).

Secrets are left out of every repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ProviderName(StrEnum):
    """The push services; also the key of an app's settings and the end of its task queue's name."""

    APPLE = "apple"
    FIREBASE = "firebase"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """An APNs authentication key, the `.p8` file of the developer portal."""

    #: Ten characters, the JWT's `kid`.
    key_id: str
    #: Ten characters, the JWT's `iss`.
    team_id: str
    #: PEM of an EC P-256 private key.
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleApp:
    """How to reach APNs for one app. Without certificate and key, its pushes are refused with an explanation."""

    app_id: str
    enabled: bool = True
    #: `host` or `host:port`.
    host: str = "api.push.apple.com"
    #: PEM of certificate and private key, in either order, with text around them.
    certificate: str | None = field(default=None, repr=False)
    token_key: TokenKey | None = None
    #: The configured topic; None derives it from the app id.
    topic: str | None = None
    #: `voip`, `alert`, ...; None derives it from the topic.
    push_type: str | None = None
    #: Extra request headers, as configured; `apns_push_type` and `apns-push-type` are the same.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Why an encrypted credential of the app is not here; there may be another one.
    unreadable: str | None = field(default=None, repr=False)

    @property
    def provider(self) -> ProviderName:
        """Who is reached."""
        return ProviderName.APPLE

    @property
    def has_credential(self) -> bool:
        """Whether there is one at all, good or not."""
        return any(each is not None for each in (self.certificate, self.token_key, self.unreadable))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirebaseApp:
    """How to reach FCM for one app. Without a service account, its pushes are refused with an explanation."""

    app_id: str
    enabled: bool = True
    #: `host` or `host:port`.
    host: str = "fcm.googleapis.com"
    #: The service-account JSON, as Google's console exports it.
    service_account: Mapping[str, str] | None = field(default=None, repr=False)
    #: A legacy server key: recognised only to say that it no longer works.
    api_key: str | None = field(default=None, repr=False)
    #: Why the encrypted service account is not here.
    unreadable: str | None = field(default=None, repr=False)

    @property
    def provider(self) -> ProviderName:
        """Who is reached."""
        return ProviderName.FIREBASE

    @property
    def has_credential(self) -> bool:
        """Whether there is one at all, good or not."""
        return any(each is not None for each in (self.service_account, self.api_key, self.unreadable))


App = AppleApp | FirebaseApp
