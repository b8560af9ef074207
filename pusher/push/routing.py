"""Which push service a Token-Type means (facts: kazoo.md 2)."""

from pusher.push.app import ProviderName

_PROVIDERS = {
    "apple": ProviderName.APPLE,
    # RFC 8599 names it so.
    "apns": ProviderName.APPLE,
    "firebase": ProviderName.FIREBASE,
    # RFC 8599 names it so.
    "fcm": ProviderName.FIREBASE,
    # Kazoo's older names, from when Google's service was GCM.
    "google": ProviderName.FIREBASE,
    "android": ProviderName.FIREBASE,
}


def provider_of(token_type: str) -> ProviderName | None:
    """Return the push service, None for a type that nobody serves; upper and lower case are the same."""
    return _PROVIDERS.get(token_type.lower())
