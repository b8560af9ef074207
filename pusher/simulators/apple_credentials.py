"""Whether APNs lets a client in: by its certificate or by its provider token (facts: providers.md 1)."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pusher.simulators.apple_certificate import Environment, read_scope
from pusher.simulators.json_web_token import JSONWebToken

_TOKEN_LIFETIME_S = 3600
_UPDATE_INTERVAL_S = 20 * 60
#: How far a client's clock may be ahead.
_CLOCK_SKEW_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Who comes in, or why not."""

    #: APNs' reason to keep the client out; None where it may come in.
    refusal: str | None = None
    #: The topics its certificate lists; None with a provider token, which is good for all of its team's.
    topics: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Key:
    team_id: str
    public_key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class _Known:
    """A provider token that was good when it was first seen."""

    key_id: str
    issued_at: float
    first_seen_at: float


class AppleCredentials:
    """The keys Apple knows, and the provider tokens it has seen on any connection."""

    def __init__(self, environment: Environment, now: Callable[[], float]) -> None:
        self._environment = environment
        self._now = now
        self._lock = threading.Lock()
        self._keys: dict[str, _Key] = {}
        self._known: dict[str, _Known] = {}

    def add_key(self, key_id: str, team_id: str, public_key: ec.EllipticCurvePublicKey) -> None:
        """Know a team's authentication key."""
        with self._lock:
            self._keys[key_id] = _Key(team_id, public_key)

    def admit(self, certificate: x509.Certificate | None, authorization: str | None) -> Admission:
        """Decide by the certificate where there is one, otherwise by the `authorization` header."""
        if certificate is None:
            with self._lock:
                return Admission(refusal=self._token_refusal(authorization))
        scope = read_scope(certificate)
        if scope is None:
            return Admission(refusal="BadCertificate")
        if self._environment not in scope.environments:
            return Admission(refusal="BadCertificateEnvironment")
        return Admission(topics=scope.topics)

    def _token_refusal(self, authorization: str | None) -> str | None:
        if authorization is None:
            return "MissingProviderToken"
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return "InvalidProviderToken"
        now = self._now()
        known = self._known.get(text)
        if known is None:
            known = self._verify(text, now)
        if known is None:
            return "InvalidProviderToken"
        age_s = now - known.issued_at
        if age_s > _TOKEN_LIFETIME_S or age_s < -_CLOCK_SKEW_S:
            return "ExpiredProviderToken"
        if text not in self._known and self._updated_lately(known.key_id, now):
            return "TooManyProviderTokenUpdates"
        self._known[text] = known
        return None

    def _verify(self, text: str, now: float) -> _Known | None:
        token = JSONWebToken.parse(text)
        if token is None:
            return None
        key_id, issued_at = token.header.get("kid"), token.claims.get("iat")
        key = self._keys.get(key_id) if isinstance(key_id, str) else None
        # A bool is an int to Python, not to Apple.
        if key is None or type(issued_at) is not int or token.claims.get("iss") != key.team_id:
            return None
        if not token.verified_by(key.public_key):
            return None
        return _Known(str(key_id), issued_at, now)

    def _updated_lately(self, key_id: str, now: float) -> bool:
        """Tell whether the key's newest token came up less than 20 minutes ago, on whatever connection."""
        return any(
            known.key_id == key_id and now - known.first_seen_at < _UPDATE_INTERVAL_S for known in self._known.values()
        )
