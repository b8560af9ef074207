"""FCMClient against the FCM and token server simulators, over real TLS, HTTP/2 and HTTPS."""

import time
from collections.abc import Callable, Iterator

import pytest

from pusher.clock import Deadline
from pusher.providers.firebase.client import FCMClient
from pusher.push.app import FirebaseApp, ProviderName
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater
from pusher.simulators.authority import Authority, ServiceAccount
from pusher.simulators.firebase import FCMSimulator
from pusher.simulators.misbehaviour import Answer, Silent
from pusher.simulators.token_server import TokenServer
from tests.integration.providers.pushing import push, push_many
from tests.support.until import until
from tests.unit.providers.doubles import MemoryTokens

TOKEN = "fX9_q:APA91bH-Example_Token~0123456789"
PROJECT = "example-project"
Connect = Callable[[], FCMClient]


@pytest.fixture
def token_server(authority: Authority) -> Iterator[TokenServer]:
    with TokenServer(authority) as server:
        yield server


@pytest.fixture
def account(authority: Authority, token_server: TokenServer) -> ServiceAccount:
    account = authority.service_account(PROJECT, token_server.url)
    token_server.add_account(account)
    return account


@pytest.fixture
def fcm(authority: Authority, token_server: TokenServer) -> Iterator[FCMSimulator]:
    with FCMSimulator(authority, token_server) as simulator:
        simulator.register_token(TOKEN, PROJECT)
        yield simulator


@pytest.fixture
def app(fcm: FCMSimulator, account: ServiceAccount) -> FirebaseApp:
    return FirebaseApp(app_id="org.example.app", service_account=account.fields, host=fcm.host)


@pytest.fixture
def connect(authority: Authority, store: MemoryTokens) -> Iterator[Connect]:
    """Make clients, and close them in the end; each is like a process of its own."""
    clients = []

    def make() -> FCMClient:
        clients.append(FCMClient(ca_file=str(authority.ca_file), proxy_url=None, shared_tokens=store))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def send(client: FCMClient, app: FirebaseApp, seconds: float = 10.0) -> Outcome:
    return push(client, app, ProviderName.FIREBASE, TOKEN, seconds)


def test_push(connect: Connect, fcm: FCMSimulator, app: FirebaseApp) -> None:
    outcome = send(connect(), app)
    (accepted,) = fcm.accepted
    assert outcome == Delivered(provider_ref=accepted.name)
    assert accepted.message["android"] == {"priority": "HIGH", "ttl": "19s", "direct_boot_ok": True}
    assert accepted.message["data"]["Call-ID"] == "call-1"
    assert "authorization" in fcm.requests[0].never_indexed


def test_500_pushes_use_one_connection_and_one_grant(
    connect: Connect, fcm: FCMSimulator, token_server: TokenServer, app: FirebaseApp
) -> None:
    client = connect()
    outcomes = push_many(lambda: send(client, app), 500, 50)
    assert {type(outcome) for outcome in outcomes} == {Delivered}
    assert fcm.connections_opened == 1
    assert token_server.grants == 1
    assert fcm.violations == []


def test_two_processes_share_one_access_token(connect: Connect, token_server: TokenServer, app: FirebaseApp) -> None:
    assert isinstance(send(connect(), app), Delivered)
    assert isinstance(send(connect(), app), Delivered)
    assert token_server.grants == 1


def test_revoked_access_token_is_refreshed_within_the_same_push(
    connect: Connect, token_server: TokenServer, app: FirebaseApp
) -> None:
    client = connect()
    assert isinstance(send(client, app), Delivered)
    token_server.revoke_all()
    assert isinstance(send(client, app), Delivered)
    assert token_server.grants == 2


def test_unknown_account_is_a_refused_credential(
    connect: Connect, authority: Authority, fcm: FCMSimulator, token_server: TokenServer
) -> None:
    stranger = authority.service_account(PROJECT, token_server.url)
    app = FirebaseApp(app_id="org.example.app", service_account=stranger.fields, host=fcm.host)
    outcome = send(connect(), app)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.CREDENTIAL_REFUSED
    assert "account not found" in outcome.detail
    assert fcm.requests == []


def test_token_server_that_comes_back_is_used_again(
    connect: Connect, token_server: TokenServer, app: FirebaseApp
) -> None:
    client = connect()
    token_server.next(Answer(status=503))
    started = time.monotonic()
    assert isinstance(send(client, app), TryLater)
    # google-auth alone would have slept and asked again.
    assert token_server.requests == 1
    assert time.monotonic() - started < 1
    until(lambda: isinstance(send(client, app), Delivered), what="a grant after the failure")


def test_silent_token_server_is_later_and_in_time(
    connect: Connect, token_server: TokenServer, app: FirebaseApp
) -> None:
    token_server.next(Silent())
    started = time.monotonic()
    assert isinstance(send(connect(), app, 0.5), TryLater)
    assert time.monotonic() - started < 1.5


def test_redirect_does_not_carry_the_assertion_elsewhere(
    connect: Connect, token_server: TokenServer, app: FirebaseApp
) -> None:
    token_server.next(Answer(status=307, headers=(("location", token_server.url),)))
    assert isinstance(send(connect(), app), TryLater)
    assert token_server.requests == 1


def test_token_server_that_is_gone_is_later(connect: Connect, token_server: TokenServer, app: FirebaseApp) -> None:
    token_server.close()
    try:
        assert isinstance(send(connect(), app), TryLater)
    finally:
        token_server.start()


def test_dead_and_foreign_tokens(connect: Connect, fcm: FCMSimulator, app: FirebaseApp) -> None:
    client = connect()
    fcm.kill_token(TOKEN)
    assert send(client, app) == TokenDead(code="UNREGISTERED")
    assert push(client, app, ProviderName.FIREBASE, "never-given") == TokenDead(code="INVALID_ARGUMENT")
    fcm.register_token(TOKEN, "other-project")
    outcome = send(client, app)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.TOKEN_MISMATCH


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=429, reason="QUOTA_EXCEEDED"), TryLater(code="QUOTA_EXCEEDED", retry_after_s=60)),
        (
            Answer(status=503, reason="UNAVAILABLE", headers=(("retry-after", "4"),)),
            TryLater(code="UNAVAILABLE", retry_after_s=4),
        ),
        (Answer(status=502), TryLater(code="HTTP 502")),
    ],
)
def test_trouble_at_google_is_later(
    connect: Connect, fcm: FCMSimulator, app: FirebaseApp, answer: Answer, expected: TryLater
) -> None:
    fcm.next(answer)
    assert send(connect(), app) == expected


def test_the_first_call_after_a_start_waits_for_neither_connection_nor_access_token(
    fcm: FCMSimulator, token_server: TokenServer, app: FirebaseApp, connect: Connect
) -> None:
    client = connect()
    assert not client.warm(app, Deadline.after(5))
    until(lambda: client.warm(app, Deadline.after(5)))
    assert (token_server.grants, len(fcm.connections)) == (1, 1)
    assert isinstance(push(client, app, ProviderName.FIREBASE, TOKEN), Delivered)
    assert (token_server.grants, len(fcm.connections)) == (1, 1)


def test_warming_an_app_whose_account_is_refused_raises_nothing(
    fcm: FCMSimulator, authority: Authority, token_server: TokenServer, connect: Connect
) -> None:
    stranger = authority.service_account(PROJECT, token_server.url)
    app = FirebaseApp(app_id="org.example.app", service_account=stranger.fields, host=fcm.host)
    assert not connect().warm(app, Deadline.after(5))
