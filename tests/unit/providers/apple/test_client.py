"""What APNsClient sends, and how it answers what comes back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from pusher.clock import Deadline
from pusher.errors import NotProcessed, OutcomeUnknown, TransportError
from pusher.http2.request import Response
from pusher.providers.apple.client import APNsClient
from pusher.push.app import App, AppleApp, FirebaseApp, TokenKey
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater
from tests.unit.providers.doubles import FakeClock, MemoryTokens, Pools, ScriptedPool
from tests.unit.providers.issued import DEVICE_TOKEN, NOW, certificate_pem, elliptic_key, key_pem, notification

KEY = elliptic_key()
TOKEN_KEY = TokenKey(key_id="ABCDE12345", team_id="TEAM123456", private_key=key_pem(KEY))
APP = AppleApp(app_id="org.example.app.voip", token_key=TOKEN_KEY)
CERTIFICATE_APP = AppleApp(app_id="org.example.app.voip", certificate=certificate_pem(KEY) + key_pem(KEY))


def answer(status: int, reason: str | None = None, **headers: str) -> Response:
    body = b"" if reason is None else json.dumps({"reason": reason, "timestamp": 1_700_000_000_000}).encode()
    return Response(status=status, headers=tuple(headers.items()), body=body)


@dataclass
class Lab:
    """A client, the connections it was given and the store it shares tokens in."""

    client: APNsClient
    pools: Pools
    store: MemoryTokens
    clock: FakeClock

    def push(self, *script: Response | TransportError, app: App = APP, **fields: str) -> Outcome:
        if script:
            self.pools.script = list(script)
        return self.client.push(notification(**fields), app, Deadline.after(15))

    @property
    def pool(self) -> ScriptedPool:
        return self.pools.pool

    def tokens(self) -> list[str | None]:
        """Return the `authorization` of each request."""
        return [dict(request.headers).get("authorization") for request in self.pool.requests]


@pytest.fixture
def lab() -> Iterator[Lab]:
    clock = FakeClock(wall_s=NOW.timestamp())
    pools, store = Pools(), MemoryTokens(clock.wall)
    client = APNsClient(ca_file=None, proxy_url=None, shared_tokens=store, clock=clock.wall, connect=pools.connect)
    yield Lab(client, pools, store, clock)
    client.close()


def test_request_with_a_key(lab: Lab) -> None:
    assert lab.push(token=DEVICE_TOKEN.upper()) == Delivered(provider_ref="11111111-2222-4333-8444-555555555555")
    (request,) = lab.pool.requests
    assert request.path == "/3/device/" + DEVICE_TOKEN
    headers = dict(request.headers)
    scheme, _, token = headers.pop("authorization").partition(" ")
    assert (scheme, token.count(".")) == ("bearer", 2)
    assert headers["apns-topic"] == "org.example.app.voip"
    assert "aps" in json.loads(request.body)
    assert lab.pools.made[0][0] == "api.push.apple.com"


def test_request_with_a_certificate_has_no_authorization(lab: Lab) -> None:
    assert isinstance(lab.push(app=CERTIFICATE_APP), Delivered)
    assert lab.tokens() == [None]
    assert lab.store.rows == {}


def test_five_hundred_pushes_share_one_connection_pool_and_one_token(lab: Lab) -> None:
    for _ in range(500):
        lab.push()
    assert len(set(lab.tokens())) == 1
    assert len(lab.tokens()) == 500


def test_apps_of_one_team_key_share_a_pool(lab: Lab) -> None:
    lab.push()
    lab.push(app=AppleApp(app_id="org.example.other", token_key=TOKEN_KEY))
    assert len(set(lab.tokens())) == 1


def test_close_closes_the_connections(lab: Lab) -> None:
    lab.push()
    lab.client.close()
    assert lab.pool.closed == 1


@pytest.mark.parametrize("token", ["0a" * 31, "0a" * 32 + "0", "0a" * 101, "../" * 30, "0g" * 32, DEVICE_TOKEN + "\n"])
def test_malformed_token_never_reaches_the_wire(lab: Lab, token: str) -> None:
    outcome = lab.push(token=token)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.MALFORMED_TOKEN
    assert lab.pools.made == []


@pytest.mark.parametrize(
    ("app", "reason", "sentence"),
    [
        (AppleApp(app_id="a"), FailureReason.NO_CREDENTIAL, "neither a certificate nor a key"),
        (
            AppleApp(app_id="a", unreadable="it is encrypted with key #1"),
            FailureReason.NO_CREDENTIAL,
            "The APNs credential fails: it is encrypted with key #1.",
        ),
        (AppleApp(app_id="a", certificate="x"), FailureReason.NO_CREDENTIAL, "this is not PEM"),
        (AppleApp(app_id="a", certificate=certificate_pem(KEY)), FailureReason.NO_CREDENTIAL, "no private key"),
        (
            AppleApp(app_id="a", token_key=TokenKey(key_id="x", team_id="y", private_key="z")),
            FailureReason.NO_CREDENTIAL,
            "the key id",
        ),
        (AppleApp(app_id="a\r\nb", token_key=TOKEN_KEY), FailureReason.REFUSED, "makes no topic"),
        (AppleApp(app_id="a", token_key=TOKEN_KEY, host="https://x/"), FailureReason.REFUSED, "host: expected"),
        (FirebaseApp(app_id="a"), FailureReason.UNKNOWN_APP, "no settings for APNs"),
    ],
)
def test_settings_that_cannot_work_are_explained(lab: Lab, app: App, reason: FailureReason, sentence: str) -> None:
    outcome = lab.push(app=app)
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason
    assert sentence in outcome.detail
    assert lab.pools.made == []


def test_certificate_that_expires_while_we_run_is_said(lab: Lab) -> None:
    assert isinstance(lab.push(app=CERTIFICATE_APP), Delivered)
    lab.clock.wall_s += timedelta(days=100).total_seconds()
    outcome = lab.push(app=CERTIFICATE_APP)
    assert isinstance(outcome, Refused)
    assert "expired" in outcome.detail
    assert lab.pool.closed == 1


def test_too_large_a_payload_never_reaches_the_wire(lab: Lab) -> None:
    outcome = lab.client.push(notification(payload={"x": {"y": "z" * 6000}}), APP, Deadline.after(15))
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.PAYLOAD_TOO_LARGE
    assert lab.pools.made == []


def test_dead_token(lab: Lab) -> None:
    assert lab.push(answer(410, "Unregistered")) == TokenDead(code="Unregistered", dead_since=1_700_000_000)


@pytest.mark.parametrize("error", [NotProcessed("connection refused"), OutcomeUnknown("stream reset")])
def test_no_answer_is_later(lab: Lab, error: TransportError) -> None:
    assert lab.push(error) == TryLater(code=str(error))
    assert len(lab.pool.requests) == 1


def test_expired_provider_token_is_renewed_once_on_a_new_connection(lab: Lab) -> None:
    # A token's time of issue moves every 35 minutes.
    lab.clock.wall_s += 35 * 60 - lab.clock.wall_s % (35 * 60) + 15 * 60
    lab.push()
    lab.clock.wall_s += 21 * 60
    fresh = APNsClient(
        ca_file=None, proxy_url=None, shared_tokens=lab.store, clock=lab.clock.wall, connect=lab.pools.connect
    )
    lab.pools.made.clear()
    lab.pools.script = [answer(403, "ExpiredProviderToken"), answer(200)]
    assert isinstance(fresh.push(notification(), APP, Deadline.after(15)), Delivered)
    old, new = lab.tokens()
    assert old != new
    assert lab.pool.renewed_after == [1]
    assert len({dict(request.headers)["apns-id"] for request in lab.pool.requests}) == 1
    fresh.close()


def test_expired_provider_token_that_is_young_is_not_renewed(lab: Lab) -> None:
    outcome = lab.push(answer(403, "ExpiredProviderToken"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.CREDENTIAL_REFUSED
    lab.push()
    assert len(set(lab.tokens())) == 1
    assert len(lab.tokens()) == 2


def test_unrelated_key_is_resent_once_on_a_new_connection(lab: Lab) -> None:
    assert isinstance(lab.push(answer(403, "UnrelatedKeyIdInToken"), answer(200)), Delivered)
    assert lab.pool.renewed_after == [1]
    assert len(set(lab.tokens())) == 1


def test_unrelated_key_twice_is_refused(lab: Lab) -> None:
    outcome = lab.push(answer(403, "UnrelatedKeyIdInToken"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.CREDENTIAL_REFUSED
    assert len(lab.pool.requests) == 2


def test_idle_timeout_is_later_on_a_new_connection(lab: Lab) -> None:
    assert lab.push(answer(400, "IdleTimeout")) == TryLater(code="IdleTimeout")
    assert lab.pool.renewed_after == [1]


def test_ordinary_refusals_keep_connection_and_token(lab: Lab) -> None:
    for reason in ("BadDeviceToken", "BadTopic"):
        assert isinstance(lab.push(answer(400, reason)), Refused)
    assert lab.pool.renewed_after == []


def test_store_that_is_down_does_not_matter(lab: Lab) -> None:
    lab.store.up = False
    assert isinstance(lab.push(), Delivered)


def test_unknown_answer_is_logged_without_the_token(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(lab.push(answer(418, "Teapot"), call_id="call-1"), Refused)
    assert "Teapot" in caplog.text
    assert "call-1" in caplog.text
    assert DEVICE_TOKEN not in caplog.text


def test_a_warmed_app_has_a_connection_and_a_token_and_sends_nothing(lab: Lab) -> None:
    assert not lab.client.warm(APP, Deadline.after(5))
    assert lab.client.warm(APP, Deadline.after(5))
    assert (lab.pool.warmed, lab.pool.requests) == (2, [])
    (stored,) = lab.store.rows.values()
    lab.push()
    assert lab.tokens() == ["bearer " + stored[0].partition(" ")[2]]


def test_a_provider_token_is_renewed_while_nobody_calls(lab: Lab) -> None:
    lab.client.warm(APP, Deadline.after(5))
    before = dict(lab.store.rows)
    later = APNsClient(
        ca_file=None, proxy_url=None, shared_tokens=lab.store, clock=lab.clock.wall, connect=Pools().connect
    )
    lab.clock.wall_s += 46 * 60
    later.warm(APP, Deadline.after(5))
    later.close()
    assert lab.store.rows.keys() == before.keys()
    assert lab.store.rows != before


@pytest.mark.parametrize(
    "app",
    [
        FirebaseApp(app_id="org.example.app", service_account={}),
        replace(CERTIFICATE_APP, certificate="no certificate"),
        replace(APP, host="no host, as it seems"),
    ],
)
def test_an_app_that_cannot_be_warmed_is_told_and_nothing_is_raised(lab: Lab, app: App) -> None:
    assert not lab.client.warm(app, Deadline.after(5))
    assert lab.pools.made == []
