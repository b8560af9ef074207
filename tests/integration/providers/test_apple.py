"""APNsClient against the APNs simulator, over real TLS and HTTP/2."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from pusher.clock import utcnow
from pusher.providers.apple.client import APNsClient
from pusher.providers.apple.credentials import check_certificate, from_pkcs12
from pusher.push.app import AppleApp, ProviderName, TokenKey
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater
from pusher.simulators.apple import APNsSimulator
from pusher.simulators.authority import AuthKey, Authority, ClientCertificate
from pusher.simulators.misbehaviour import Answer, Reset, Silent
from tests.integration.providers.pushing import push, push_many
from tests.support.until import until
from tests.unit.providers.doubles import MemoryTokens
from tests.unit.providers.issued import certificate_pem, elliptic_key, key_pem

TOPIC = "org.example.app.voip"
TOKEN = "ab" * 32
Connect = Callable[..., APNsClient]


@pytest.fixture(scope="module")
def auth_key(authority: Authority) -> AuthKey:
    return authority.auth_key("ABCDE12345", "TEAM123456")


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> ClientCertificate:
    return authority.client_certificate(topics=(TOPIC,), bundle_id="org.example.app")


@dataclass
class AppleClock:
    """Apple's clock, which may be ahead of ours."""

    ahead_s: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def apple_clock() -> AppleClock:
    return AppleClock()


@pytest.fixture
def apns(authority: Authority, auth_key: AuthKey, apple_clock: AppleClock) -> Iterator[APNsSimulator]:
    with APNsSimulator(authority, now=apple_clock.now) as simulator:
        simulator.add_key(auth_key.key_id, auth_key.team_id, auth_key.public_key)
        simulator.register_token(TOKEN, TOPIC)
        yield simulator


@pytest.fixture
def key_app(apns: APNsSimulator, auth_key: AuthKey) -> AppleApp:
    key = TokenKey(key_id=auth_key.key_id, team_id=auth_key.team_id, private_key=auth_key.pem)
    return AppleApp(app_id=f"{TOPIC}.prod", token_key=key, host=apns.host)


@pytest.fixture
def certificate_app(apns: APNsSimulator, certificate: ClientCertificate) -> AppleApp:
    return AppleApp(app_id=f"{TOPIC}.prod", certificate=certificate.pem, host=apns.host)


@pytest.fixture
def connect(authority: Authority, store: MemoryTokens) -> Iterator[Connect]:
    """Make clients, and close them in the end; each is like a process of its own."""
    clients = []

    def make(clock: Callable[[], float] = time.time) -> APNsClient:
        clients.append(APNsClient(ca_file=str(authority.ca_file), proxy_url=None, shared_tokens=store, clock=clock))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
    assert not [thread.name for thread in threading.enumerate() if "Pool" in type(thread).__name__]


def send(client: APNsClient, app: AppleApp, seconds: float = 10.0) -> Outcome:
    return push(client, app, ProviderName.APPLE, TOKEN, seconds)


def test_push_with_a_certificate(connect: Connect, apns: APNsSimulator, certificate_app: AppleApp) -> None:
    outcome = send(connect(), certificate_app)
    (accepted,) = apns.accepted
    assert outcome == Delivered(provider_ref=accepted.apns_id)
    assert (accepted.topic, accepted.push_type, accepted.priority) == (TOPIC, "voip", "10")
    assert accepted.expiration is not None
    assert 15 < accepted.expiration - time.time() <= 20
    assert accepted.payload["aps"] == {"call-id": "call-1"}
    assert "org.example.app" in (apns.connections[0].client_subject or "")


def test_push_with_a_key_hides_path_and_token_from_hpack(
    connect: Connect, apns: APNsSimulator, key_app: AppleApp
) -> None:
    assert isinstance(send(connect(), key_app), Delivered)
    assert apns.connections[0].client_subject is None
    assert {":path", "authorization"} <= apns.requests[0].never_indexed


def test_push_with_a_certificate_out_of_a_p12_file(
    connect: Connect, certificate: ClientCertificate, certificate_app: AppleApp
) -> None:
    pem = from_pkcs12(certificate.pkcs12("sesame"), "sesame")
    facts = check_certificate(pem, utcnow())
    assert (facts.topics, facts.bundle_id) == ((TOPIC,), "org.example.app")
    assert isinstance(send(connect(), replace(certificate_app, certificate=pem)), Delivered)


def test_500_pushes_use_one_connection(connect: Connect, apns: APNsSimulator, key_app: AppleApp) -> None:
    client = connect()
    outcomes = push_many(lambda: send(client, key_app), 500, 50)
    assert {type(outcome) for outcome in outcomes} == {Delivered}
    assert apns.connections_opened == 1
    assert len({request.header("authorization") for request in apns.requests}) == 1
    assert apns.violations == []


def test_two_processes_share_one_provider_token(connect: Connect, apns: APNsSimulator, key_app: AppleApp) -> None:
    assert isinstance(send(connect(), key_app), Delivered)
    assert isinstance(send(connect(), key_app), Delivered)
    assert len({request.header("authorization") for request in apns.requests}) == 1


def test_a_process_that_finds_redis_emptied_is_not_refused(
    connect: Connect, store: MemoryTokens, apns: APNsSimulator, key_app: AppleApp
) -> None:
    began = time.time() // (35 * 60) * (35 * 60)
    assert isinstance(send(connect(clock=lambda: began + 60), key_app), Delivered)
    store.rows.clear()
    assert isinstance(send(connect(clock=lambda: began + 300), key_app), Delivered)
    assert len({request.header("authorization") for request in apns.requests}) == 1


def test_apps_of_one_team_share_a_connection(connect: Connect, apns: APNsSimulator, key_app: AppleApp) -> None:
    client = connect()
    send(client, key_app)
    send(client, replace(key_app, app_id="org.example.other", topic=TOPIC))
    assert apns.connections_opened == 1


def test_new_certificate_gets_a_new_connection_and_the_old_one_is_closed(
    connect: Connect, authority: Authority, apns: APNsSimulator, certificate_app: AppleApp
) -> None:
    client = connect()
    assert isinstance(send(client, certificate_app), Delivered)
    renewed = authority.client_certificate(topics=(TOPIC,), bundle_id="org.example.app", key="ec")
    assert isinstance(send(client, replace(certificate_app, certificate=renewed.pem)), Delivered)
    assert apns.connections_opened == 2
    until(lambda: apns.connections_open == 1, what="the old connection is closed")


def test_dead_token(connect: Connect, apns: APNsSimulator, key_app: AppleApp) -> None:
    apns.kill_token(TOKEN, since_epoch=1_700_000_000)
    assert send(connect(), key_app) == TokenDead(code="Unregistered", dead_since=1_700_000_000)


def test_token_of_another_environment_is_a_mismatch(connect: Connect, apns: APNsSimulator, key_app: AppleApp) -> None:
    outcome = push(connect(), key_app, ProviderName.APPLE, "cd" * 32)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.TOKEN_MISMATCH


def test_expired_provider_token_is_renewed_on_a_new_connection(
    connect: Connect, apns: APNsSimulator, apple_clock: AppleClock, key_app: AppleApp
) -> None:
    # Apple's clock is ahead of ours, so that a token of the first 35 minutes is too old for it and the next one is not.
    began = time.time() // (35 * 60) * (35 * 60)
    apple_clock.ahead_s = began + 70 * 60 - time.time()
    outcome = send(connect(clock=lambda: began + 10 * 60), key_app)
    assert isinstance(outcome, Refused)
    assert outcome.code == "ExpiredProviderToken"
    assert isinstance(send(connect(clock=lambda: began + 36 * 60), key_app), Delivered)
    old, refused, new = (request.header("authorization") for request in apns.requests)
    assert old == refused != new
    assert [request.connection_id for request in apns.requests] == [1, 2, 3]


def test_unrelated_key_is_resent_once_on_a_new_connection(
    connect: Connect, apns: APNsSimulator, key_app: AppleApp
) -> None:
    apns.next(Answer(status=403, reason="UnrelatedKeyIdInToken"))
    assert isinstance(send(connect(), key_app), Delivered)
    assert [request.connection_id for request in apns.requests] == [1, 2]


def test_after_idle_timeout_the_next_push_takes_a_new_connection(
    connect: Connect, apns: APNsSimulator, key_app: AppleApp
) -> None:
    client = connect()
    apns.next(Answer(status=400, reason="IdleTimeout"))
    assert send(client, key_app) == TryLater(code="IdleTimeout")
    assert isinstance(send(client, key_app), Delivered)
    assert [request.connection_id for request in apns.requests] == [1, 2]


def test_retry_after_is_passed_on(connect: Connect, apns: APNsSimulator, key_app: AppleApp) -> None:
    apns.next(Answer(status=429, reason="TooManyRequests", headers=(("retry-after", "3"),)))
    assert send(connect(), key_app) == TryLater(code="TooManyRequests", retry_after_s=3, about_device=True)


@pytest.mark.parametrize("behaviour", [Silent(), Reset()])
def test_no_answer_is_later_and_in_time(
    connect: Connect, apns: APNsSimulator, key_app: AppleApp, behaviour: Silent | Reset
) -> None:
    client = connect()
    assert isinstance(send(client, key_app), Delivered)
    apns.next(behaviour)
    started = time.monotonic()
    assert isinstance(send(client, key_app, 0.3), TryLater)
    assert time.monotonic() - started < 1


def test_nobody_there_is_later(connect: Connect, apns: APNsSimulator, key_app: AppleApp) -> None:
    apns.close()
    try:
        assert isinstance(send(connect(), key_app), TryLater)
    finally:
        apns.start()


def test_certificate_that_apple_did_not_sign_is_never_delivered(
    connect: Connect, apns: APNsSimulator, certificate_app: AppleApp
) -> None:
    key = elliptic_key()
    now = utcnow()
    stranger = certificate_pem(key, start=now.replace(year=now.year - 1), end=now.replace(year=now.year + 1))
    outcome = send(connect(), replace(certificate_app, certificate=stranger + key_pem(key)))
    assert isinstance(outcome, TryLater | Refused)
    assert apns.accepted == []


def test_server_that_nobody_vouches_for_gets_no_push(
    apns: APNsSimulator, key_app: AppleApp, store: MemoryTokens
) -> None:
    client = APNsClient(ca_file=None, proxy_url=None, shared_tokens=store)
    outcome = send(client, key_app)
    client.close()
    assert isinstance(outcome, TryLater)
    assert apns.requests == []
