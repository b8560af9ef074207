"""What FCMClient sends, and how it answers what comes back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from pusher.clock import Deadline
from pusher.errors import NotProcessed, OutcomeUnknown, TransportError
from pusher.http2.request import Response
from pusher.providers.firebase.client import FCMClient
from pusher.push.app import App, AppleApp, FirebaseApp, ProviderName
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater
from tests.unit.providers.doubles import FakeClock, MemoryTokens, Pools, ScriptedPool
from tests.unit.providers.firebase.canned import CannedTokenServer, session_with
from tests.unit.providers.issued import NOW, notification, service_account

APP = FirebaseApp(app_id="org.example.app", service_account=service_account())
TOKEN = "fX9_q:APA91bH-Example_Token~0123456789"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


def answer(status: int, code: str | None = None) -> Response:
    details = [] if code is None else [{"@type": FCM_ERROR, "errorCode": code}]
    return Response(status=status, body=json.dumps({"error": {"details": details}}).encode())


def grant(token: str) -> tuple[int, Any]:
    return 200, {"access_token": token, "expires_in": 3599}


@dataclass
class Lab:
    """A client, the connections it was given, its token server and the store it shares tokens in."""

    client: FCMClient
    pools: Pools
    server: CannedTokenServer
    store: MemoryTokens
    clock: FakeClock

    def push(self, *script: Response | TransportError, app: App = APP, token: str = TOKEN) -> Outcome:
        if script:
            self.pools.script = list(script)
        return self.client.push(notification(ProviderName.FIREBASE, token=token), app, Deadline.after(15))

    @property
    def pool(self) -> ScriptedPool:
        return self.pools.pool

    def tokens(self) -> list[str]:
        """Return the `authorization` of each request."""
        return [dict(request.headers)["authorization"] for request in self.pool.requests]


@pytest.fixture
def server() -> CannedTokenServer:
    return CannedTokenServer(grant("one"), grant("two"), grant("three"))


@pytest.fixture
def lab(server: CannedTokenServer) -> Iterator[Lab]:
    clock = FakeClock(wall_s=NOW.timestamp())
    pools, store = Pools(), MemoryTokens(clock.wall)
    client = FCMClient(
        ca_file=None,
        proxy_url=None,
        shared_tokens=store,
        clock=clock.wall,
        connect=pools.connect,
        open_session=lambda ca_file, proxy_url: session_with(server),
    )
    yield Lab(client, pools, server, store, clock)
    client.close()


def test_request(lab: Lab) -> None:
    name = "projects/example-project/messages/1"
    assert lab.push(Response(status=200, body=json.dumps({"name": name}).encode())) == Delivered(provider_ref=name)
    (request,) = lab.pool.requests
    assert request.path == "/v1/projects/example-project/messages:send"
    assert request.headers == (("authorization", "Bearer one"),)
    message = json.loads(request.body)["message"]
    assert message["token"] == TOKEN
    assert message["android"]["ttl"] == "20s"
    assert lab.pools.made[0][0] == "fcm.googleapis.com"


def test_five_hundred_pushes_share_one_pool_and_one_grant(lab: Lab) -> None:
    for _ in range(500):
        lab.push()
    assert len(lab.pool.requests) == 500
    assert len(lab.server.grants) == 1


@pytest.mark.parametrize("token", ["a b", "a\nb", 'a"b', "é", "a/b", "x" * 4097])
def test_malformed_token_never_reaches_the_wire(lab: Lab, token: str) -> None:
    outcome = lab.push(token=token)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.MALFORMED_TOKEN
    assert lab.pools.made == []


@pytest.mark.parametrize(
    ("app", "reason", "sentence"),
    [
        (FirebaseApp(app_id="a", api_key="AIza"), FailureReason.LEGACY_KEY, "shut down"),
        (FirebaseApp(app_id="a"), FailureReason.NO_CREDENTIAL, "no service account"),
        (
            FirebaseApp(app_id="a", unreadable="it is encrypted with key #1", api_key="AIza"),
            FailureReason.NO_CREDENTIAL,
            "The service account fails: it is encrypted with key #1.",
        ),
        (FirebaseApp(app_id="a", service_account={}), FailureReason.NO_CREDENTIAL, "service_account"),
        (
            FirebaseApp(app_id="a", service_account=service_account(project_id="a/b")),
            FailureReason.NO_CREDENTIAL,
            "project_id",
        ),
        (
            FirebaseApp(app_id="a", service_account=service_account(), host="x/y"),
            FailureReason.REFUSED,
            "host: expected",
        ),
        (AppleApp(app_id="a"), FailureReason.UNKNOWN_APP, "no settings for FCM"),
    ],
)
def test_settings_that_cannot_work_are_explained(lab: Lab, app: App, reason: FailureReason, sentence: str) -> None:
    outcome = lab.push(app=app)
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason
    assert sentence in outcome.detail
    assert lab.pools.made == []
    assert lab.server.grants == []


def test_account_wins_over_a_legacy_key(lab: Lab) -> None:
    app = FirebaseApp(app_id="a", service_account=service_account(), api_key="AIza")
    assert isinstance(lab.push(app=app), Delivered)


def test_stale_access_token_is_refreshed_once(lab: Lab) -> None:
    assert isinstance(lab.push(answer(401), answer(200)), Delivered)
    assert lab.tokens() == ["Bearer one", "Bearer two"]
    lab.push()
    assert lab.tokens()[-1] == "Bearer two"


def test_endless_401_makes_no_grant_per_push(lab: Lab) -> None:
    for _ in range(5):
        outcome = lab.push(answer(401))
        assert isinstance(outcome, Refused)
        assert outcome.reason is FailureReason.CREDENTIAL_REFUSED
    assert len(lab.server.grants) == 2


def test_third_party_401_refreshes_nothing(lab: Lab) -> None:
    outcome = lab.push(answer(401, "THIRD_PARTY_AUTH_ERROR"))
    assert isinstance(outcome, Refused)
    assert len(lab.pool.requests) == 1


def test_refused_grant_is_a_refused_credential(lab: Lab) -> None:
    lab.server.script = [(400, {"error": "invalid_grant"})]
    outcome = lab.push()
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.CREDENTIAL_REFUSED
    assert "invalid_grant" in outcome.detail
    assert lab.pool.requests == []


def test_unreachable_token_server_is_later(lab: Lab) -> None:
    lab.server.script = [requests.ConnectionError("refused")]
    assert isinstance(lab.push(), TryLater)
    assert lab.pool.requests == []


def test_dead_token(lab: Lab) -> None:
    assert lab.push(answer(404, "UNREGISTERED")) == TokenDead(code="UNREGISTERED")


@pytest.mark.parametrize("error", [NotProcessed("connection refused"), OutcomeUnknown("stream reset")])
def test_no_answer_is_later(lab: Lab, error: TransportError) -> None:
    assert lab.push(error) == TryLater(code=str(error))


def test_close_closes_the_connections(lab: Lab) -> None:
    lab.push()
    lab.client.close()
    assert lab.pool.closed == 1


def test_store_that_is_down_does_not_matter(lab: Lab) -> None:
    lab.store.up = False
    assert isinstance(lab.push(), Delivered)


def test_unknown_answer_is_logged_without_the_token(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(lab.push(answer(418)), Refused)
    assert "HTTP 418" in caplog.text
    assert TOKEN not in caplog.text
