"""Asks the providers themselves: a push to a token that nobody can have shows whether they take a credential.

It goes the way of every push, through the same client, so that what is verified is what calls will use: trust, proxy,
OAuth grant, TLS, HTTP/2, credential, topic and project. APNs answers BadDeviceToken and FCM INVALID_ARGUMENT where all
of that is right (facts: providers.md), and nobody's phone rings.
"""

import re
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from pusher.cli.advice import ADVICE, because
from pusher.cli.checks.finding import Note, Status
from pusher.clock import Deadline
from pusher.messages.push_request import PushRequest
from pusher.ports import Provider
from pusher.push.app import App, ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater

#: Seconds for all apps together, of which a provider has five to answer, ...
LIMIT_S = 8.0
#: ... and per app, for loading its certificate and the system's authorities takes a tenth of a second, one by one.
PER_APP_S = 0.3
#: Well-formed, and nobody's: no device has 32 zero bytes, and FCM's tokens are not this short.
_NOBODY = {ProviderName.APPLE: "0" * 64, ProviderName.FIREBASE: "pusher-check"}
#: A provider's own word, in place of a phrase of ours about a failed connection.
_WORD = r"^(\w+|HTTP \d+)$"
#: What a provider or something on the way says instead of a verdict, and what to do; the first match counts.
_NO_VERDICT = (
    ("TooManyProviderTokenUpdates", "too many processes make provider tokens of this key: do they share one Redis?"),
    ("certificate is not accepted", "is it the right host? Where a proxy opens TLS, add its authority: PUSHER_CA_FILE"),
    ("ALERT", "the provider refuses the client certificate: renew it and add the app again"),
    ("token server", "look at the service account's token_uri, the firewall and PUSHER_PROXY_URL"),
    ("by the proxy", "look at PUSHER_PROXY_URL and at the proxy"),
    ("cannot connect", "look at DNS, the firewall and the app's setting host"),
    ("no TLS|HTTP/2", "that is no provider: look at the app's setting host, and at what stands in between"),
    ("no stream was free", "too many apps share this credential for the time there is: it says nothing against it"),
    ("closed by the peer|reset by peer", "it hangs up: on a client certificate that it refuses, or a firewall does"),
    (_WORD, "the provider has trouble of its own now: check again later"),
    ("", "it takes connections and does not answer: the provider's trouble, or what stands in between"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a provider thinks of an app's credential."""

    status: Status
    text: str
    #: The provider's own word, or ours for a failed connection.
    code: str
    #: Milliseconds until it was known.
    ms: float

    @property
    def note(self) -> Note:
        """What it adds to the app's line."""
        return self.status, self.text


def probe(app: App, now: float) -> Notification:
    """Return the push for `app` that reaches nobody, as of epoch seconds `now`."""
    request = PushRequest(token=_NOBODY[app.provider], token_type=str(app.provider), app_id=app.app_id)
    return Notification(
        request=request,
        provider=app.provider,
        push_id=str(uuid.uuid4()),
        received_at=now,
        expires_at=now + LIMIT_S,
    )


def judge_all(apps: Sequence[App], services: Mapping[ProviderName, Provider]) -> list[Judgement]:
    """Return what their providers think of `apps`, in order; a dead host costs seconds, however many apps name it."""
    limit_s = LIMIT_S + PER_APP_S * len(apps)
    deadline = Deadline.after(limit_s)
    found: list[Judgement | None] = [None] * len(apps)

    def judge(position: int) -> None:
        notification, began = probe(apps[position], time.time()), time.monotonic()
        outcome = services[notification.provider].push(notification, apps[position], deadline)
        found[position] = _judgement(notification.provider, outcome, 1000 * (time.monotonic() - began))

    # A thread each, so that no app waits behind one whose host is dead; daemons, for a name server that hangs.
    threads = [threading.Thread(target=judge, args=(position,), daemon=True) for position in range(len(apps))]
    for thread in threads:
        thread.start()
    last = Deadline.after(deadline.remaining_s() + 0.5)
    for thread in threads:
        thread.join(last.remaining_s())
    text = f"not verified: nothing was heard for {limit_s:.0f} s. Does the host's name resolve?"
    nothing = Judgement(status=Status.FAILED, text=text, code="no answer", ms=1000 * limit_s)
    return [judgement or nothing for judgement in found]


def _judgement(provider: ProviderName, outcome: Outcome, ms: float) -> Judgement:
    match outcome:
        case Delivered():
            return _verified("accepted", ms)
        case TokenDead(code=code) | Refused(reason=FailureReason.TOKEN_MISMATCH, code=code):
            return _verified(code, ms)
        case Refused():
            text = f"refused: {outcome.detail} {ADVICE[outcome.reason].todo} ({outcome.code})"
            return Judgement(status=Status.FAILED, text=text, code=outcome.code, ms=ms)
        case TryLater(code=code):
            return _no_verdict(provider, code, ms)
        case _:
            assert_never(outcome)


def _verified(code: str, ms: float) -> Judgement:
    text = f"verified live in {ms:.0f} ms: the provider took the credential, and refused a token that nobody has"
    return Judgement(status=Status.OK, text=f"{text} ({code})", code=code, ms=ms)


def _no_verdict(provider: ProviderName, code: str, ms: float) -> Judgement:
    advice = next(advice for pattern, advice in _NO_VERDICT if re.search(pattern, code))
    said = because(provider, code)
    text = f"not verified: {code}{'' if said is None else f' ({said})'}: {advice}"
    # A provider that is there and busy, or that we ran out of time for, says nothing about the app.
    harmless = re.search(_WORD, code) is not None or "no stream was free" in code
    return Judgement(status=Status.WARN if harmless else Status.FAILED, text=text, code=code, ms=ms)
