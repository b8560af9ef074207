"""FCM's HTTP v1 API as a client sees it (facts: providers.md 2)."""

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509

from pusher.simulators.authority import Authority
from pusher.simulators.firebase_message import Fault, Message, read_message
from pusher.simulators.ledger import ReceivedRequest
from pusher.simulators.misbehaviour import Answer
from pusher.simulators.server import HTTP2Server, OnPush
from pusher.simulators.token_server import TokenServer

_SEND = re.compile(r"/v1/projects/([^/]+)/messages:send")
#: google.rpc.Code by HTTP status; what is not here comes from a front end, in HTML.
_RPC_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_JSON = ("content-type", "application/json; charset=UTF-8")
_HTML = ("content-type", "text/html; charset=UTF-8")
_BAD_TOKEN = Fault(field="message.token", description="The registration token is not a valid FCM registration token")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedMessage:
    """A message that FCM answered with 200."""

    #: `projects/<project>/messages/<id>`.
    name: str
    token: str = field(repr=False)
    project: str
    #: As sent, `token`, `data` and `android` included.
    message: Message = field(repr=False)
    #: Epoch seconds of acceptance.
    at: float


@dataclass(frozen=True, slots=True)
class _Registration:
    project: str
    alive: bool = True


def html_page(status: int) -> Answer:
    """Return an answer with the kind of page that Google's front ends send."""
    page = f"<!DOCTYPE html>\n<title>Error {status}</title>\n<p><b>{status}.</b> That is an error.\n"
    return Answer(status=status, headers=(_HTML,), body=page.encode())


class FCMSimulator(HTTP2Server):
    """FCM. It knows the projects that own a service account or a device token."""

    def __init__(
        self,
        authority: Authority,
        token_server: TokenServer,
        *,
        on_push: OnPush | None = None,
        now: Callable[[], float] = time.time,
        stream_limit: int = 100,
        stream_window: int = 65_535,
        port: int = 0,
    ) -> None:
        super().__init__(
            authority,
            client_certificates=False,
            stream_limit=stream_limit,
            stream_window=stream_window,
            port=port,
            on_push=on_push,
            now=now,
        )
        self._token_server = token_server
        self._registrations: dict[str, _Registration] = {}
        self._accepted: list[AcceptedMessage] = []

    @property
    def accepted(self) -> list[AcceptedMessage]:
        """The accepted messages, in order."""
        return list(self._accepted)

    def forget(self) -> None:
        """Drop what was noted of requests so far, and what was to happen to coming ones."""
        self._accepted.clear()
        self.ledger.forget_requests()
        self.clear()

    def register_token(self, token: str, project: str) -> None:
        """Give out a device token for an app of `project`; a dead one lives again."""
        self._registrations[token] = _Registration(project)

    def kill_token(self, token: str) -> None:
        """Answer 404 UNREGISTERED for the token from now on."""
        self._registrations[token] = replace(self._registrations[token], alive=False)

    def handle(self, request: ReceivedRequest, certificate: x509.Certificate | None) -> Answer:
        """Check the request and push, or say the first thing that is wrong."""
        path = _SEND.fullmatch(request.path)
        # The legacy API (/fcm/send) is gone, and its address with it.
        if path is None or request.method != "POST":
            return html_page(404)
        scheme, _, access_token = (request.header("authorization") or "").partition(" ")
        sender = self._token_server.project_of(access_token) if scheme.lower() == "bearer" else None
        if sender is None:
            return _error(401, "Request had invalid authentication credentials. Expected OAuth 2 access token.")
        project = path[1]
        if not self._knows(project):
            return _error(404, f"Project {project} was not found.")
        if sender != project:
            return _error(403, f"Permission 'cloudmessaging.messages.create' denied on project {project}.")
        message, fault = read_message(request.body)
        if fault is not None:
            return _invalid(fault)
        return self._deliver(request, project, message)

    def complete(self, request: ReceivedRequest, answer: Answer) -> Answer:
        """Add Google's JSON with `reason` as FCM's error code, or HTML as its front ends send it."""
        if answer.body is not None:
            return answer
        if answer.status == 200:
            whole = replace(answer, headers=(_JSON,), body=b"{}")
        elif answer.status not in _RPC_STATUS:
            whole = html_page(answer.status)
        else:
            details = () if answer.reason is None else (_fcm_error(answer.reason),)
            whole = _error(answer.status, f"Simulated {answer.reason or answer.status}.", *details)
        return replace(answer, headers=(*whole.headers, *answer.headers), body=whole.body)

    def _knows(self, project: str) -> bool:
        return project in self._token_server.projects or any(
            registration.project == project for registration in tuple(self._registrations.values())
        )

    def _deliver(self, request: ReceivedRequest, project: str, message: Message) -> Answer:
        token = message["token"]
        registration = self._registrations.get(token)
        if registration is None:
            return _invalid(_BAD_TOKEN)
        if registration.project != project:
            return _error(403, "SenderId mismatch", _fcm_error("SENDER_ID_MISMATCH"))
        if not registration.alive:
            return _error(404, "Requested entity was not found.", _fcm_error("UNREGISTERED"))
        name = f"projects/{project}/messages/0:{uuid.uuid4().hex}"
        accepted = AcceptedMessage(name=name, token=token, project=project, message=message, at=self.now())
        self._accepted.append(accepted)
        self.ring(token, message, dict(request.headers))
        return Answer(status=200, headers=(_JSON,), body=json.dumps({"name": name}).encode())


def _fcm_error(code: str) -> Mapping[str, Any]:
    return {"@type": _FCM_ERROR, "errorCode": code}


def _invalid(fault: Fault) -> Answer:
    violation = {"field": fault.field, "description": fault.description}
    bad_request = {"@type": _BAD_REQUEST, "fieldViolations": [violation]}
    details = (_fcm_error("INVALID_ARGUMENT"), bad_request) if fault.by_fcm else (bad_request,)
    return _error(400, fault.description, *details)


def _error(status: int, message: str, *details: Mapping[str, Any]) -> Answer:
    error: dict[str, Any] = {"code": status, "message": message, "status": _RPC_STATUS[status]}
    if details:
        error["details"] = list(details)
    reason = next((detail["errorCode"] for detail in details if "errorCode" in detail), None)
    return Answer(status=status, reason=reason, headers=(_JSON,), body=json.dumps({"error": error}).encode())
