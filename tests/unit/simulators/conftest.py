"""What the simulators' tests share: one authority, whose keys are slow to make."""

import pytest

from pusher.simulators.authority import AuthKey, Authority, ClientCertificate, ServiceAccount

#: Epoch seconds when the tests' clocks begin.
NOW = 1_800_000_000


class Clock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def auth_key(authority: Authority) -> AuthKey:
    return authority.auth_key("ABC123DEFG", "TEAM123456")


@pytest.fixture(scope="session")
def service_account(authority: Authority) -> ServiceAccount:
    return authority.service_account("phone-project", "https://127.0.0.1:1/token")


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> ClientCertificate:
    """A universal certificate for an app and its calls."""
    topics = ("com.example.phone", "com.example.phone.voip")
    return authority.client_certificate(topics=topics, bundle_id="com.example.phone", key="ec")
