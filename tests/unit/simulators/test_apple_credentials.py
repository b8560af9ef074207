"""APNs lets in good certificates and good provider tokens, and says why it keeps the others out."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.auth import crypt, jwt

from pusher.simulators.apple_credentials import Admission, AppleCredentials
from pusher.simulators.authority import AuthKey, Authority, ClientCertificate
from tests.unit.simulators.conftest import NOW, Clock


@pytest.fixture
def credentials(auth_key: AuthKey, clock: Clock) -> AppleCredentials:
    made = AppleCredentials("production", clock)
    made.add_key(auth_key.key_id, auth_key.team_id, auth_key.public_key)
    return made


Sign = Callable[..., str]


@pytest.fixture
def sign(auth_key: AuthKey) -> Sign:
    """Make the `authorization` header of a provider token that is good unless told otherwise."""

    def sign(*, iat: Any = NOW, iss: Any = "TEAM123456", kid: str = "ABC123DEFG") -> str:
        signer = crypt.ES256Signer.from_string(auth_key.pem)
        return "bearer " + jwt.encode(signer, {"iss": iss, "iat": iat}, key_id=kid).decode()

    return sign


def test_good_token_comes_in_for_all_topics_of_its_team(credentials: AppleCredentials, sign: Sign) -> None:
    assert credentials.admit(None, sign()) == Admission(refusal=None, topics=None)


def test_without_certificate_or_token_the_token_is_missing(credentials: AppleCredentials) -> None:
    assert credentials.admit(None, None).refusal == "MissingProviderToken"


@pytest.mark.parametrize(
    "changed",
    [{"iss": "OTHERTEAM1"}, {"kid": "UNKNOWNKEY"}, {"iat": str(NOW)}, {"iat": None}, {"iat": float(NOW)}],
)
def test_token_with_a_wrong_claim_is_invalid(
    credentials: AppleCredentials, sign: Sign, changed: dict[str, Any]
) -> None:
    assert credentials.admit(None, sign(**changed)).refusal == "InvalidProviderToken"


def test_token_of_another_scheme_is_invalid(credentials: AppleCredentials, sign: Sign) -> None:
    assert credentials.admit(None, sign().replace("bearer", "basic")).refusal == "InvalidProviderToken"


def test_token_that_is_no_jwt_is_invalid(credentials: AppleCredentials) -> None:
    assert credentials.admit(None, "bearer abc").refusal == "InvalidProviderToken"


def test_token_signed_by_another_key_is_invalid(credentials: AppleCredentials, sign: Sign) -> None:
    credentials.add_key("ABC123DEFG", "TEAM123456", ec.generate_private_key(ec.SECP256R1()).public_key())
    assert credentials.admit(None, sign()).refusal == "InvalidProviderToken"


def test_token_is_good_for_an_hour(credentials: AppleCredentials, sign: Sign, clock: Clock) -> None:
    header = sign()
    clock.now = NOW + 3600
    assert credentials.admit(None, header).refusal is None
    clock.now = NOW + 3601
    assert credentials.admit(None, header).refusal == "ExpiredProviderToken"


def test_token_issued_an_hour_ago_is_expired_at_first_sight(credentials: AppleCredentials, sign: Sign) -> None:
    assert credentials.admit(None, sign(iat=NOW - 3601)).refusal == "ExpiredProviderToken"


def test_token_of_a_clock_slightly_ahead_is_good(credentials: AppleCredentials, sign: Sign) -> None:
    assert credentials.admit(None, sign(iat=NOW + 60)).refusal is None


def test_token_from_the_future_is_refused(credentials: AppleCredentials, sign: Sign) -> None:
    assert credentials.admit(None, sign(iat=NOW + 600)).refusal == "ExpiredProviderToken"


def test_second_token_within_20_minutes_is_too_many_and_the_first_stays_good(
    credentials: AppleCredentials, sign: Sign, clock: Clock
) -> None:
    first = sign()
    assert credentials.admit(None, first).refusal is None
    clock.now = NOW + 1199

    assert credentials.admit(None, sign(iat=NOW + 1199)).refusal == "TooManyProviderTokenUpdates"
    assert credentials.admit(None, first).refusal is None


def test_second_token_after_20_minutes_is_good(credentials: AppleCredentials, sign: Sign, clock: Clock) -> None:
    credentials.admit(None, sign())
    clock.now = NOW + 1200

    assert credentials.admit(None, sign(iat=NOW + 1200)).refusal is None
    clock.now = NOW + 2399
    assert credentials.admit(None, sign(iat=NOW + 2399)).refusal == "TooManyProviderTokenUpdates"


def test_tokens_of_different_keys_do_not_count_together(
    credentials: AppleCredentials, sign: Sign, auth_key: AuthKey
) -> None:
    credentials.add_key("SECONDKEY1", auth_key.team_id, auth_key.public_key)

    assert credentials.admit(None, sign()).refusal is None
    assert credentials.admit(None, sign(kid="SECONDKEY1")).refusal is None


def test_certificate_comes_in_for_its_topics(credentials: AppleCredentials, certificate: ClientCertificate) -> None:
    admission = credentials.admit(certificate.certificate, None)
    assert admission == Admission(topics=("com.example.phone", "com.example.phone.voip"))


def test_certificate_of_the_other_environment_is_refused(credentials: AppleCredentials, authority: Authority) -> None:
    made = authority.client_certificate(topics=("a.b",), bundle_id="a.b", environment="development", key="ec")
    assert credentials.admit(made.certificate, None).refusal == "BadCertificateEnvironment"


def test_certificate_that_is_not_for_pushes_is_refused(credentials: AppleCredentials, authority: Authority) -> None:
    assert credentials.admit(authority.certificate, None).refusal == "BadCertificate"
