"""The apps as `pusher check` sees them: what their settings and credentials say, then what their providers say."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pusher import wiring
from pusher.cli.checks.finding import Fact, Finding, Note, Status, failed, joined
from pusher.cli.checks.live import Judgement, judge_all, probe
from pusher.cli.credentials import RENEW_DAYS, certificate_summary, summary
from pusher.clock import utcnow
from pusher.documents.pusher_document import DEFAULT
from pusher.errors import PusherError
from pusher.http2.origin import Origin
from pusher.providers.apple.credentials import CertificateFacts, check_certificate
from pusher.providers.apple.headers import headers_for
from pusher.push.app import App, AppleApp, FirebaseApp

#: Which environment Apple's own hosts are (facts: providers.md 1).
_ENVIRONMENTS = {
    "api.push.apple.com": "production",
    "api.sandbox.push.apple.com": "development",
    "api.development.push.apple.com": "development",
}
#: Seconds that closing connections may take; the process ends anyway.
_FAREWELL_S = 1.0


@dataclass(frozen=True, slots=True)
class _Looked:
    """What an app's own settings say."""

    app: App
    notes: list[Note]
    facts: dict[str, Fact]

    @property
    def usable(self) -> bool:
        """Whether asking the provider could tell more."""
        return self.app.enabled and all(status is not Status.FAILED for status, _ in self.notes)


def apps(edges: wiring.Edges, found: tuple[App, ...], *, live: bool, redis_up: bool) -> Iterator[Finding]:
    """Yield a finding per app; `live` asks their providers, which APNs keys are spared of without Redis."""
    if not found:
        yield failed("apps", "none configured: see pusher maintenance --help")
        return
    looked = [_look(app, utcnow()) for app in found]
    judgements: dict[int, Judgement] = {}
    asked = [each for each in looked if live and each.usable and _may_ask(each, redis_up)]
    if asked:
        try:
            judgements = _ask(edges, asked)
        except PusherError as error:
            yield failed("providers", str(error))
    for each in looked:
        yield _finding(each, judgements.get(id(each)))


def _ask(edges: wiring.Edges, asked: list[_Looked]) -> dict[int, Judgement]:
    services = wiring.providers(edges)
    judged = judge_all([each.app for each in asked], services)

    def close() -> None:
        for service in services.values():
            service.close()

    # A name server that hangs holds up closing as well.
    closing = threading.Thread(target=close, daemon=True)
    closing.start()
    closing.join(_FAREWELL_S)
    return {id(each): judgement for each, judgement in zip(asked, judged, strict=True)}


def _finding(looked: _Looked, judgement: Judgement | None) -> Finding:
    app, notes = looked.app, list(looked.notes)
    facts: dict[str, Fact] = {"app": app.app_id, "provider": str(app.provider), "enabled": app.enabled}
    facts |= {"host": app.host} | looked.facts | {"live": None}
    if judgement is not None:
        notes.append(judgement.note)
        facts |= {"live": str(judgement.status), "code": judgement.code, "ms": round(judgement.ms, 1)}
    if not app.enabled:
        # Nobody is pushed to, so nothing about it is urgent.
        notes = [(min(status, Status.WARN, key=list(Status).index), text) for status, text in notes]
        notes.append((Status.OK, "disabled: its calls fail over at once"))
    return joined(f"app {app.app_id} ({app.provider})", notes, facts)


def _may_ask(looked: _Looked, redis_up: bool) -> bool:
    app = looked.app
    if _has_none_of_its_own(app) or (app.app_id == DEFAULT and isinstance(app, AppleApp) and app.topic is None):
        # The default stands for any app, and has no topic of its own to ask about.
        return False
    if isinstance(app, AppleApp) and app.token_key is not None and not redis_up:
        # APNs takes one new token of a key in 20 minutes; one of ours, that nobody shares, would be it.
        text = "not verified live: without Redis, the token for it would stand in the workers' way"
        looked.notes.append((Status.WARN, text))
        return False
    return True


def _look(app: App, now: datetime) -> _Looked:
    looked = _Looked(app, [], {})
    try:
        Origin.parse(app.host)
    except PusherError as error:
        looked.notes.append((Status.FAILED, f"{error}: it is {app.host}"))
    if _has_none_of_its_own(app):
        looked.notes.append(_without_credential(app))
        return looked
    if isinstance(app, AppleApp) and app.unreadable is not None and (app.certificate or app.token_key is not None):
        looked.notes.append((Status.WARN, f"another credential of the app is not used: {app.unreadable}"))
    try:
        if isinstance(app, AppleApp) and app.certificate is not None and app.token_key is None:
            _look_at_certificate(app, check_certificate(app.certificate, now), looked)
        else:
            looked.notes.append((Status.OK, summary(app, now)))
            if isinstance(app, AppleApp):
                _look_at_topic(app, looked)
                looked.facts["credential"] = "key"
    except PusherError as error:
        looked.notes.append((Status.FAILED, str(error)))
    return looked


def _has_none_of_its_own(app: App) -> bool:
    """Tell whether there is no credential to look at: none, or a legacy key for all apps."""
    is_default = app.app_id == DEFAULT
    has_legacy_key = isinstance(app, FirebaseApp) and app.service_account is None and app.unreadable is None
    return not app.has_credential or (is_default and has_legacy_key)


def _without_credential(app: App) -> Note:
    if app.app_id != DEFAULT:
        # No more can be told of it: the settings of a zone look like those of an app.
        text = "no credential: an app whose calls fail with no_credential, or the settings of a zone that is not ours"
        return Status.WARN, text
    if app.has_credential:
        text = "a legacy server key for all apps, which Google shut down: apps without their own credential fail"
        return Status.WARN, text
    return Status.OK, f"settings for all apps, without a credential, {app.host}"


def _look_at_certificate(app: AppleApp, certificate: CertificateFacts, looked: _Looked) -> None:
    notes, topic = looked.notes, _look_at_topic(app, looked)
    notes.append((Status.OK, certificate_summary(certificate, app.host)))
    looked.facts.update(
        credential="certificate",
        days_left=certificate.days_left,
        topics=list(certificate.topics),
        environments=list(certificate.environments),
    )
    if certificate.days_left < RENEW_DAYS:
        text = f"it expires on {certificate.not_after:%Y-%m-%d}: renew it at developer.apple.com and add the app again"
        notes.append((Status.WARN, text))
    if topic is not None and certificate.topics and topic not in certificate.topics:
        text = f"the certificate is not for topic {topic}: set apple.apns_topic, or add the app's own certificate"
        notes.append((Status.FAILED, text))
    environment = _ENVIRONMENTS.get(app.host.partition(":")[0].lower())
    if environment is not None and certificate.environments and environment not in certificate.environments:
        text = f"the certificate is for {', '.join(certificate.environments)} only, and the host is {environment}"
        notes.append((Status.FAILED, f"{text}: add the app with the other host, or with another certificate"))


def _look_at_topic(app: AppleApp, looked: _Looked) -> str | None:
    """Return the topic of the app's pushes, None for the default, which stands for any app, and for what is none."""
    if app.app_id == DEFAULT and app.topic is None:
        return None
    headers = headers_for(probe(app, 0.0), app)
    if headers is None:
        looked.notes.append((Status.FAILED, "the app id makes no topic: set apple.apns_topic"))
        return None
    topic = dict(headers.fields)["apns-topic"]
    looked.facts.update(topic=topic, push_type=headers.push_type)
    if (headers.push_type == "voip") != topic.endswith(".voip"):
        text = f"push type {headers.push_type} does not go with topic {topic}: calls need voip and a topic in .voip"
        looked.notes.append((Status.WARN, f"{text}. See apple.push_type, apple.headers and apple.apns_topic"))
    return topic
