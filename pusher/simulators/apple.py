"""APNs as a client sees it: the documented checks in one order, then the push (facts: providers.md 1)."""

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pusher.simulators.apple_certificate import Environment
from pusher.simulators.apple_credentials import Admission, AppleCredentials
from pusher.simulators.authority import Authority
from pusher.simulators.ledger import ReceivedRequest
from pusher.simulators.misbehaviour import Answer
from pusher.simulators.server import HTTP2Server, OnPush

#: Reasons that do not come with 400.
_STATUS = {
    "BadCertificate": 403,
    "BadCertificateEnvironment": 403,
    "ExpiredProviderToken": 403,
    "InvalidProviderToken": 403,
    "MissingProviderToken": 403,
    "BadPath": 404,
    "MethodNotAllowed": 405,
    "Unregistered": 410,
    "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429,
}
_APP_PUSH_TYPES = frozenset({"alert", "background", "controls", "liveactivity", "location", "widgets"})
_PUSH_TYPES = _APP_PUSH_TYPES | {"complication", "fileprovider", "mdm", "pushtotalk", "voip"}
_TOPIC = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_PAYLOAD, _MAX_VOIP_PAYLOAD = 4096, 5120

Headers = Mapping[str, str]

#: What can be wrong with a header, in order. The topic is already there; any other may be absent.
_HEADER_FAULTS: tuple[tuple[str, Callable[[Headers], bool]], ...] = (
    ("InvalidPushType", lambda h: h.get("apns-push-type", "alert") not in _PUSH_TYPES),
    # A VoIP push to any other topic would wake an app without its call screen, and iOS would kill it.
    (
        "InvalidPushType",
        lambda h: h.get("apns-push-type") == "voip" and not h["apns-topic"].endswith(".voip"),
    ),
    ("BadPriority", lambda h: h.get("apns-priority", "10") not in {"10", "5", "1"}),
    # Only an explicit 10 is wrong: Apple asks for 5, and an absent priority counts as none.
    ("BadPriority", lambda h: (h.get("apns-push-type"), h.get("apns-priority")) == ("background", "10")),
    ("BadExpirationDate", lambda h: re.fullmatch(r"[0-9]{1,10}", h.get("apns-expiration", "0")) is None),
    ("BadMessageId", lambda h: "apns-id" in h and _UUID.fullmatch(h["apns-id"]) is None),
    ("BadCollapseId", lambda h: len(h.get("apns-collapse-id", "").encode()) > 64),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedPush:
    """A push that APNs answered with 200."""

    apns_id: str
    token: str = field(repr=False)
    topic: str
    push_type: str | None
    priority: str | None
    #: Epoch seconds as sent.
    expiration: int | None
    collapse_id: str | None
    payload: Mapping[str, Any] = field(repr=False)
    #: Epoch seconds of acceptance.
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registration:
    topic: str
    #: Epoch seconds since when the token is dead; None while it lives.
    dead_since: float | None = None


class APNsSimulator(HTTP2Server):
    """One APNs environment.

    With `gradual_streams`, a client without a certificate gets one stream until its first push succeeded.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        on_push: OnPush | None = None,
        environment: Environment = "production",
        now: Callable[[], float] = time.time,
        gradual_streams: bool = True,
        stream_limit: int = 1000,
        stream_window: int = 65_535,
        port: int = 0,
    ) -> None:
        super().__init__(
            authority,
            client_certificates=True,
            stream_limit=stream_limit,
            stream_window=stream_window,
            port=port,
            on_push=on_push,
            now=now,
        )
        self._gradual_streams = gradual_streams
        self._credentials = AppleCredentials(environment, now)
        self._registrations: dict[str, _Registration] = {}
        self._accepted: list[AcceptedPush] = []

    @property
    def accepted(self) -> list[AcceptedPush]:
        """The accepted pushes, in order."""
        return list(self._accepted)

    def forget(self) -> None:
        """Drop what was noted of requests so far, and what was to happen to coming ones."""
        self._accepted.clear()
        self.ledger.forget_requests()
        self.clear()

    def add_key(self, key_id: str, team_id: str, public_key: ec.EllipticCurvePublicKey) -> None:
        """Know a team's authentication key."""
        self._credentials.add_key(key_id, team_id, public_key)

    def register_token(self, token: str, topic: str) -> None:
        """Give out a device token for `topic`; a dead one lives again."""
        self._registrations[token.lower()] = _Registration(topic=topic)

    def kill_token(self, token: str, since_epoch: float | None = None) -> None:
        """Answer 410 Unregistered for the token, dead since epoch seconds, by default since now."""
        since = self.now() if since_epoch is None else since_epoch
        self._registrations[token.lower()] = replace(self._registrations[token.lower()], dead_since=since)

    def first_stream_limit(self, certificate: x509.Certificate | None) -> int:
        """Return 1 for a client that has yet to show a good provider token."""
        return 1 if self._gradual_streams and certificate is None else self.stream_limit

    def handle(self, request: ReceivedRequest, certificate: x509.Certificate | None) -> Answer:
        """Check the request and push, or say the first thing that is wrong."""
        names = [name for name, _ in request.headers if name.startswith("apns-") or name == "authorization"]
        headers = dict(request.headers)
        token = request.path.removeprefix("/3/device/")
        reason = _request_fault(request, names)
        if reason is None:
            admission = self._credentials.admit(certificate, headers.get("authorization"))
            reason = admission.refusal or _topic_fault(headers, admission)
            headers.setdefault("apns-topic", (admission.topics or ("",))[0])
        reason = reason or next((fault for fault, wrong in _HEADER_FAULTS if wrong(headers)), None)
        reason = reason or _payload_fault(request.body, headers) or self._token_fault(token, headers)
        if reason is not None:
            return self._refuse(request, reason, token)
        return self._accept(request, token, headers)

    def complete(self, request: ReceivedRequest, answer: Answer) -> Answer:
        """Add the apns-id and the JSON reason; a 410 is dated now."""
        apns_id = request.header("apns-id") or str(uuid.uuid4())
        body = answer.body
        if body is None and answer.reason is not None:
            timestamp = {"timestamp": int(self.now() * 1000)} if answer.status == 410 else {}
            body = json.dumps({"reason": answer.reason, **timestamp}).encode()
        return replace(answer, headers=(("apns-id", apns_id), *answer.headers), body=body)

    def _token_fault(self, token: str, headers: Headers) -> str | None:
        registration = self._registrations.get(token.lower())
        if registration is None:
            return "BadDeviceToken"
        if registration.topic != headers["apns-topic"]:
            return "DeviceTokenNotForTopic"
        return None if registration.dead_since is None else "Unregistered"

    def _refuse(self, request: ReceivedRequest, reason: str, token: str) -> Answer:
        body: dict[str, object] = {"reason": reason}
        if reason == "Unregistered":
            dead_since = self._registrations[token.lower()].dead_since
            body["timestamp"] = None if dead_since is None else int(dead_since * 1000)
        answer = Answer(status=_STATUS.get(reason, 400), reason=reason, body=json.dumps(body).encode())
        return self.complete(request, answer)

    def _accept(self, request: ReceivedRequest, token: str, headers: Headers) -> Answer:
        answer = self.complete(request, Answer(status=200))
        expiration = headers.get("apns-expiration")
        payload = json.loads(request.body)
        self._accepted.append(
            AcceptedPush(
                apns_id=answer.headers[0][1],
                token=token,
                topic=headers["apns-topic"],
                push_type=headers.get("apns-push-type"),
                priority=headers.get("apns-priority"),
                expiration=None if expiration is None else int(expiration),
                collapse_id=headers.get("apns-collapse-id"),
                payload=payload,
                at=self.now(),
            )
        )
        self.ring(token, payload, headers)
        return answer


def _request_fault(request: ReceivedRequest, names: list[str]) -> str | None:
    if request.method != "POST":
        return "MethodNotAllowed"
    if request.path in {"/3/device", "/3/device/"}:
        return "MissingDeviceToken"
    if re.fullmatch(r"/3/device/[^/]+", request.path) is None:
        return "BadPath"
    # Looked at before any header is read: of two values none is the right one.
    return "DuplicateHeaders" if len(set(names)) < len(names) else None


def _topic_fault(headers: Headers, admission: Admission) -> str | None:
    topic = headers.get("apns-topic")
    if topic is None:
        only = admission.topics is not None and len(admission.topics) == 1
        return None if only else "MissingTopic"
    if _TOPIC.fullmatch(topic) is None:
        return "BadTopic"
    return "TopicDisallowed" if admission.topics is not None and topic not in admission.topics else None


def _payload_fault(body: bytes, headers: Headers) -> str | None:
    if not body:
        return "PayloadEmpty"
    limit = _MAX_VOIP_PAYLOAD if headers["apns-topic"].endswith(".voip") else _MAX_PAYLOAD
    if len(body) > limit:
        return "PayloadTooLarge"
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        # Apple documents no reason of its own for a body that is no JSON object.
        return "PayloadEmpty"
    return None if isinstance(payload, dict) else "PayloadEmpty"
