"""Each answer of FCM, on a request that is right but for one thing."""

import json
from dataclasses import replace
from typing import Any

import pytest
from google.auth import crypt, jwt

from pusher.simulators.authority import Authority, ServiceAccount
from pusher.simulators.firebase import AcceptedMessage, FCMSimulator, html_page
from pusher.simulators.ledger import ReceivedRequest
from pusher.simulators.misbehaviour import Answer
from pusher.simulators.token_server import TokenServer
from tests.unit.simulators.conftest import NOW, Clock

MESSAGE = {"token": "phone", "data": {"call-id": "abc"}, "android": {"priority": "HIGH", "ttl": "20s"}}
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


@pytest.fixture
def tokens(authority: Authority, service_account: ServiceAccount, clock: Clock) -> TokenServer:
    made = TokenServer(authority, port=1, now=clock)
    made.add_account(service_account)
    return made


@pytest.fixture
def fcm(authority: Authority, tokens: TokenServer, clock: Clock) -> FCMSimulator:
    made = FCMSimulator(authority, tokens, now=clock)
    made.register_token("phone", "phone-project")
    return made


@pytest.fixture
def good(tokens: TokenServer, service_account: ServiceAccount) -> ReceivedRequest:
    signer = crypt.RSASigner.from_string(service_account.fields["private_key"])
    claims = {
        "iss": service_account.fields["client_email"],
        "aud": tokens.url,
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "iat": NOW,
        "exp": NOW + 3600,
    }
    assertion = jwt.encode(signer, claims, key_id=service_account.fields["private_key_id"]).decode()
    grant = tokens.grant(f"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}")
    access_token = json.loads(grant.body or b"")["access_token"]
    return ReceivedRequest(
        connection_id=1,
        stream_id=1,
        at=NOW,
        method="POST",
        path="/v1/projects/phone-project/messages:send",
        headers=(("authorization", f"Bearer {access_token}"),),
        body=json.dumps({"message": MESSAGE}).encode(),
    )


def error(answer: Answer) -> dict[str, Any]:
    assert ("content-type", "application/json; charset=UTF-8") in answer.headers
    value: dict[str, Any] = json.loads(answer.body or b"")["error"]
    assert value["code"] == answer.status
    return value


def codes(answer: Answer) -> list[str]:
    return [detail["errorCode"] for detail in error(answer).get("details", []) if detail["@type"] == FCM_ERROR]


def fields(answer: Answer) -> list[str]:
    return [
        violation["field"]
        for detail in error(answer).get("details", [])
        if detail["@type"] == BAD_REQUEST
        for violation in detail["fieldViolations"]
    ]


def sending(request: ReceivedRequest, **changed: Any) -> ReceivedRequest:
    return replace(request, body=json.dumps({"message": {**MESSAGE, **changed}}).encode())


def test_good_message_is_accepted_and_named(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    answer = fcm.handle(good, None)
    name = json.loads(answer.body or b"")["name"]

    assert answer.status == 200
    assert name.startswith("projects/phone-project/messages/")
    assert fcm.accepted == [AcceptedMessage(name=name, token="phone", project="phone-project", message=MESSAGE, at=NOW)]


@pytest.mark.parametrize("authorization", [(), (("authorization", "Bearer nonsense"),)])
def test_without_a_granted_token_nobody_sends(
    fcm: FCMSimulator, good: ReceivedRequest, authorization: tuple[tuple[str, str], ...]
) -> None:
    answer = fcm.handle(replace(good, headers=authorization), None)

    assert (answer.status, error(answer)["status"]) == (401, "UNAUTHENTICATED")
    assert "details" not in error(answer)


def test_access_token_of_another_scheme_is_refused(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    ((name, value),) = good.headers
    request = replace(good, headers=((name, value.replace("Bearer ", "Basic ")),))
    assert fcm.handle(request, None).status == 401


def test_access_token_expires(fcm: FCMSimulator, good: ReceivedRequest, clock: Clock) -> None:
    clock.now = NOW + 3600
    assert fcm.handle(good, None).status == 401


def test_revoked_access_token_is_refused(fcm: FCMSimulator, good: ReceivedRequest, tokens: TokenServer) -> None:
    tokens.revoke_all()
    assert fcm.handle(good, None).status == 401


def test_unknown_project_is_a_plain_404(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    answer = fcm.handle(replace(good, path="/v1/projects/nobodys/messages:send"), None)

    assert (answer.status, error(answer)["status"]) == (404, "NOT_FOUND")
    assert codes(answer) == []


@pytest.mark.parametrize("path", ["/fcm/send", "/v1/projects/phone-project/messages:sent", "/"])
def test_other_paths_answer_404_in_html(fcm: FCMSimulator, good: ReceivedRequest, path: str) -> None:
    answer = fcm.handle(replace(good, path=path), None)

    assert answer == html_page(404)
    assert ("content-type", "text/html; charset=UTF-8") in answer.headers


def test_other_methods_answer_404_in_html(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    assert fcm.handle(replace(good, method="GET"), None) == html_page(404)


def test_project_of_somebody_else_is_a_plain_403(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    fcm.register_token("tablet", "other-project")
    answer = fcm.handle(replace(good, path="/v1/projects/other-project/messages:send"), None)

    assert (answer.status, error(answer)["status"]) == (403, "PERMISSION_DENIED")
    assert codes(answer) == []


def test_fault_of_form_names_the_field_and_carries_no_fcm_error(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    answer = fcm.handle(sending(good, data={"n": 1}), None)

    assert (answer.status, error(answer)["status"]) == (400, "INVALID_ARGUMENT")
    assert (fields(answer), codes(answer)) == (["message.data[0].value"], [])


def test_fault_of_sense_names_the_field_and_carries_fcms_error(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    answer = fcm.handle(sending(good, data={"from": "x"}), None)
    assert (answer.status, fields(answer), codes(answer)) == (400, ["message.data"], ["INVALID_ARGUMENT"])


def test_token_that_is_none_is_an_invalid_argument(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    answer = fcm.handle(sending(good, token="nobody"), None)

    assert (answer.status, fields(answer), codes(answer)) == (400, ["message.token"], ["INVALID_ARGUMENT"])
    assert error(answer)["message"] == "The registration token is not a valid FCM registration token"


def test_token_of_another_project_is_a_mismatch(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    fcm.register_token("phone", "other-project")
    answer = fcm.handle(good, None)
    assert (answer.status, codes(answer)) == (403, ["SENDER_ID_MISMATCH"])


def test_dead_token_is_unregistered_until_it_is_given_out_again(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    fcm.kill_token("phone")
    answer = fcm.handle(good, None)

    assert (answer.status, codes(answer)) == (404, ["UNREGISTERED"])
    fcm.register_token("phone", "phone-project")
    assert fcm.handle(good, None).status == 200


@pytest.mark.parametrize(
    ("scripted", "rpc_status", "fcm_codes"),
    [
        (Answer(status=429, reason="QUOTA_EXCEEDED"), "RESOURCE_EXHAUSTED", ["QUOTA_EXCEEDED"]),
        (Answer(status=503, reason="UNAVAILABLE"), "UNAVAILABLE", ["UNAVAILABLE"]),
        (Answer(status=500, reason="INTERNAL"), "INTERNAL", ["INTERNAL"]),
        (Answer(status=401, reason="THIRD_PARTY_AUTH_ERROR"), "UNAUTHENTICATED", ["THIRD_PARTY_AUTH_ERROR"]),
        (Answer(status=403), "PERMISSION_DENIED", []),
    ],
)
def test_scripted_refusal_looks_like_googles(
    fcm: FCMSimulator, good: ReceivedRequest, scripted: Answer, rpc_status: str, fcm_codes: list[str]
) -> None:
    answer = fcm.complete(good, scripted)

    assert (answer.status, answer.reason) == (scripted.status, scripted.reason)
    assert (error(answer)["status"], codes(answer)) == (rpc_status, fcm_codes)


def test_scripted_502_is_html_and_keeps_its_headers(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    answer = fcm.complete(good, Answer(status=502, headers=(("retry-after", "3"),)))

    assert answer.body == html_page(502).body
    assert answer.headers == (("content-type", "text/html; charset=UTF-8"), ("retry-after", "3"))


def test_scripted_body_is_left_alone(fcm: FCMSimulator, good: ReceivedRequest) -> None:
    scripted = Answer(status=404, body=b"<html>")
    assert fcm.complete(good, scripted) == scripted
