"""What is made of each thing that a provider, or the way to it, may say to a push that reaches nobody."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pusher.cli.checks import live
from pusher.cli.checks.finding import Status
from pusher.clock import Deadline
from pusher.push.app import App, AppleApp, FirebaseApp, ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater

APPLE, GOOGLE = AppleApp(app_id="org.example.app"), FirebaseApp(app_id="org.example.app")


@dataclass
class Answering:
    """A provider that answers."""

    answer: Callable[[Notification], Outcome]

    def push(self, notification: Notification, app: App, deadline: Deadline) -> Outcome:
        return self.answer(notification)


def judged(outcome: Outcome, app: App = APPLE) -> live.Judgement:
    """Return what is made of `outcome`."""
    provider = Answering(lambda _: outcome)
    [judgement] = live.judge_all([app], dict.fromkeys(ProviderName, provider))
    return judgement


@pytest.mark.parametrize(
    "outcome",
    [
        Refused(reason=FailureReason.TOKEN_MISMATCH, code="BadDeviceToken", detail="."),
        TokenDead(code="INVALID_ARGUMENT"),
        Delivered(provider_ref="x"),
    ],
)
def test_whoever_judges_the_token_took_the_credential(outcome: Outcome) -> None:
    assert judged(outcome).status is Status.OK


@pytest.mark.parametrize("reason", [reason for reason in FailureReason if reason is not FailureReason.TOKEN_MISMATCH])
def test_any_other_refusal_is_a_failure_with_a_remedy(reason: FailureReason) -> None:
    judgement = judged(Refused(reason=reason, code="Some", detail="Some detail."))
    assert judgement.status is Status.FAILED
    assert judgement.text == f"refused: Some detail. {live.ADVICE[reason].todo} (Some)"


@pytest.mark.parametrize(
    ("code", "status", "advice"),
    [
        ("ServiceUnavailable", Status.WARN, "the provider has trouble of its own"),
        ("HTTP 502", Status.WARN, "the provider has trouble of its own"),
        ("TooManyProviderTokenUpdates", Status.WARN, "do they share one Redis?"),
        ("h: no stream was free before the deadline", Status.WARN, "too many apps share this credential"),
        ("h: no TLS: its certificate is not accepted: self-signed", Status.FAILED, "PUSHER_CA_FILE"),
        ("h: no TLS: SSLV3_ALERT_CERTIFICATE_EXPIRED", Status.FAILED, "refuses the client certificate"),
        ("h: no TLS: WRONG_VERSION_NUMBER", Status.FAILED, "that is no provider"),
        ("h: it does not speak HTTP/2 (ALPN chose None)", Status.FAILED, "that is no provider"),
        ("h: cannot connect by the proxy: timed out", Status.FAILED, "look at PUSHER_PROXY_URL and at the proxy"),
        ("h: cannot connect: Name or service not known", Status.FAILED, "look at DNS, the firewall"),
        ("h: closed by the peer", Status.FAILED, "it hangs up"),
        ("h: Connection reset by peer", Status.FAILED, "it hangs up"),
        ("the token server gave no answer: ConnectTimeout", Status.FAILED, "look at the service account's token_uri"),
        ("h: no answer before the deadline", Status.FAILED, "does not answer"),
        ("h: it was not connected before the deadline", Status.FAILED, "does not answer"),
    ],
)
def test_what_is_no_verdict_says_where_to_look(code: str, status: Status, advice: str) -> None:
    judgement = judged(TryLater(code=code))
    assert (judgement.status, judgement.code) == (status, code)
    assert judgement.text.startswith(f"not verified: {code}")
    assert advice in judgement.text


def test_the_probe_is_well_formed_and_nobody_s() -> None:
    seen: list[Notification] = []

    def answer(notification: Notification) -> Outcome:
        seen.append(notification)
        return Delivered(provider_ref="x")

    live.judge_all([APPLE, GOOGLE], dict.fromkeys(ProviderName, Answering(answer)))
    by_provider = {notification.provider: notification.request for notification in seen}
    assert by_provider[ProviderName.APPLE].token == "0" * 64
    assert by_provider[ProviderName.FIREBASE].token == "pusher-check"
    # Nobody waits for an answer, and no call is named.
    assert {(request.server_id, request.call_id) for request in by_provider.values()} == {(None, None)}


def test_a_provider_of_which_nothing_is_heard_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LIMIT_S", 0.05)
    monkeypatch.setattr(live, "PER_APP_S", 0.0)
    released = threading.Event()

    def hang(_: Notification) -> Outcome:
        # What a name server that hangs does to a look-up, which no time limit reaches.
        released.wait(30)
        return Delivered(provider_ref="late")

    providers = {ProviderName.APPLE: Answering(hang), ProviderName.FIREBASE: Answering(lambda _: TokenDead(code="x"))}
    try:
        hanging, other = live.judge_all([APPLE, GOOGLE], providers)
    finally:
        released.set()
    assert (hanging.status, other.status) == (Status.FAILED, Status.OK)
    assert "Does the host's name resolve?" in hanging.text
