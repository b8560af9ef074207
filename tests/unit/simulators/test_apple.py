"""Each check of APNs, row by row, on a request that is right but for one thing."""

import json
from dataclasses import replace
from typing import Any

import pytest
from google.auth import crypt, jwt

from pusher.simulators.apple import AcceptedPush, APNsSimulator
from pusher.simulators.authority import AuthKey, Authority, ClientCertificate
from pusher.simulators.ledger import ReceivedRequest
from pusher.simulators.misbehaviour import Answer
from tests.unit.simulators.conftest import NOW

TOKEN = "ab" * 32
PHONE, CALLS = "com.example.phone", "com.example.phone.voip"
ID = "7e5d8b1c-1d3f-4f6e-9a53-5d4c7c1b2a90"
PAYLOAD = {"call-id": "abc", "aps": {}}
GOOD = {
    "apns-topic": CALLS,
    "apns-push-type": "voip",
    "apns-priority": "10",
    "apns-expiration": "1800000020",
    "apns-id": ID,
    "apns-collapse-id": "x" * 64,
}
FOR_APP = {"apns-topic": PHONE, "apns-push-type": "alert"}


@pytest.fixture
def apns(authority: Authority, auth_key: AuthKey) -> APNsSimulator:
    made = APNsSimulator(authority, now=lambda: NOW)
    made.add_key(auth_key.key_id, auth_key.team_id, auth_key.public_key)
    made.register_token(TOKEN, CALLS)
    return made


@pytest.fixture
def authorization(auth_key: AuthKey) -> str:
    signer = crypt.ES256Signer.from_string(auth_key.pem)
    claims = {"iss": auth_key.team_id, "iat": NOW}
    return "bearer " + jwt.encode(signer, claims, key_id=auth_key.key_id).decode()


@pytest.fixture
def good(authorization: str) -> ReceivedRequest:
    headers = tuple({**GOOD, "authorization": authorization}.items())
    return ReceivedRequest(
        connection_id=1,
        stream_id=1,
        at=NOW,
        method="POST",
        path=f"/3/device/{TOKEN}",
        headers=headers,
        body=json.dumps(PAYLOAD).encode(),
    )


def with_headers(request: ReceivedRequest, changed: dict[str, str | None]) -> ReceivedRequest:
    headers = {**dict(request.headers), **changed}
    return replace(request, headers=tuple((name, value) for name, value in headers.items() if value is not None))


def said(answer: Answer) -> tuple[int, dict[str, Any]]:
    return answer.status, json.loads(answer.body or b"{}")


def test_good_push_is_accepted_and_its_id_echoed(apns: APNsSimulator, good: ReceivedRequest) -> None:
    assert apns.handle(good, None) == Answer(status=200, headers=(("apns-id", ID),))
    assert apns.accepted == [
        AcceptedPush(
            apns_id=ID,
            token=TOKEN,
            topic=CALLS,
            push_type="voip",
            priority="10",
            expiration=1_800_000_020,
            collapse_id="x" * 64,
            payload=PAYLOAD,
            at=NOW,
        )
    ]


def test_push_without_id_gets_one(apns: APNsSimulator, good: ReceivedRequest) -> None:
    answer = apns.handle(with_headers(good, {"apns-id": None}), None)

    ((name, value),) = answer.headers
    assert (name, len(value)) == ("apns-id", 36)
    assert apns.accepted[0].apns_id == value


def test_only_topic_and_authorization_are_needed(apns: APNsSimulator, good: ReceivedRequest) -> None:
    bare = {name: None for name in GOOD if name != "apns-topic"}
    assert apns.handle(with_headers(good, bare), None).status == 200


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"method": "GET"}, 405, "MethodNotAllowed"),
        ({"path": "/3/device/"}, 400, "MissingDeviceToken"),
        ({"path": "/3/device"}, 400, "MissingDeviceToken"),
        ({"path": f"/3/devices/{TOKEN}"}, 404, "BadPath"),
        ({"path": f"/3/device/{TOKEN}/x"}, 404, "BadPath"),
        ({"path": "/3/device/" + "cd" * 32}, 400, "BadDeviceToken"),
        ({"body": b""}, 400, "PayloadEmpty"),
        ({"body": b"{"}, 400, "PayloadEmpty"),
        ({"body": b"[]"}, 400, "PayloadEmpty"),
        ({"body": b"\xff"}, 400, "PayloadEmpty"),
        ({"body": b"[" * 5000}, 400, "PayloadEmpty"),
        ({"body": b'{"a":"%s"}' % (b"x" * (5121 - 8))}, 413, "PayloadTooLarge"),
    ],
)
def test_request_with_one_fault_is_refused_for_it(
    apns: APNsSimulator, good: ReceivedRequest, changed: dict[str, Any], status: int, reason: str
) -> None:
    assert said(apns.handle(replace(good, **changed), None)) == (status, {"reason": reason})
    assert apns.accepted == []


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"authorization": None}, 403, "MissingProviderToken"),
        ({"authorization": "bearer a.b.c"}, 403, "InvalidProviderToken"),
        ({"apns-topic": None}, 400, "MissingTopic"),
        ({"apns-topic": ""}, 400, "BadTopic"),
        ({"apns-topic": "com..voip"}, 400, "BadTopic"),
        ({"apns-topic": "com.other.voip"}, 400, "DeviceTokenNotForTopic"),
        ({"apns-push-type": "call"}, 400, "InvalidPushType"),
        ({"apns-topic": PHONE}, 400, "InvalidPushType"),
        ({"apns-priority": "9"}, 400, "BadPriority"),
        ({"apns-priority": "high"}, 400, "BadPriority"),
        ({"apns-push-type": "background"}, 400, "BadPriority"),
        ({"apns-expiration": "soon"}, 400, "BadExpirationDate"),
        ({"apns-expiration": "1.5"}, 400, "BadExpirationDate"),
        ({"apns-id": ID.upper()}, 400, "BadMessageId"),
        ({"apns-id": ID.replace("-", "")}, 400, "BadMessageId"),
        ({"apns-collapse-id": "x" * 65}, 400, "BadCollapseId"),
    ],
)
def test_header_with_one_fault_is_refused_for_it(
    apns: APNsSimulator, good: ReceivedRequest, changed: dict[str, str | None], status: int, reason: str
) -> None:
    assert said(apns.handle(with_headers(good, changed), None)) == (status, {"reason": reason})
    assert apns.accepted == []


def test_header_given_twice_is_refused(apns: APNsSimulator, good: ReceivedRequest) -> None:
    twice = replace(good, headers=(*good.headers, ("apns-topic", CALLS)))
    assert said(apns.handle(twice, None)) == (400, {"reason": "DuplicateHeaders"})


def test_second_provider_token_within_20_minutes_is_refused(
    apns: APNsSimulator, good: ReceivedRequest, auth_key: AuthKey
) -> None:
    apns.handle(good, None)
    signer = crypt.ES256Signer.from_string(auth_key.pem)
    claims = {"iss": auth_key.team_id, "iat": NOW + 1}
    other = "bearer " + jwt.encode(signer, claims, key_id=auth_key.key_id).decode()
    answer = apns.handle(with_headers(good, {"authorization": other}), None)

    assert said(answer) == (429, {"reason": "TooManyProviderTokenUpdates"})


def test_voip_payload_may_be_as_large_as_5120_bytes(apns: APNsSimulator, good: ReceivedRequest) -> None:
    body = b'{"a":"%s"}' % (b"x" * (5120 - 8))
    assert apns.handle(replace(good, body=body), None).status == 200


@pytest.mark.parametrize(("size", "status"), [(4096, 200), (4097, 413)])
def test_other_payloads_end_at_4096_bytes(apns: APNsSimulator, good: ReceivedRequest, size: int, status: int) -> None:
    apns.register_token(TOKEN, PHONE)
    request = replace(with_headers(good, FOR_APP), body=b'{"a":"%s"}' % (b"x" * (size - 8)))
    assert apns.handle(request, None).status == status


def test_background_push_of_priority_5_is_accepted(apns: APNsSimulator, good: ReceivedRequest) -> None:
    changed = {"apns-push-type": "background", "apns-priority": "5"}
    assert apns.handle(with_headers(good, changed), None).status == 200


def test_token_is_known_in_upper_case_too(apns: APNsSimulator, good: ReceivedRequest) -> None:
    assert apns.handle(replace(good, path=f"/3/device/{TOKEN.upper()}"), None).status == 200
    apns.register_token("EE" * 32, CALLS)
    assert apns.handle(replace(good, path="/3/device/" + "ee" * 32), None).status == 200


def test_dead_token_is_unregistered_since_milliseconds(apns: APNsSimulator, good: ReceivedRequest) -> None:
    apns.kill_token(TOKEN, 1_799_999_000.5)

    assert said(apns.handle(good, None)) == (410, {"reason": "Unregistered", "timestamp": 1_799_999_000_500})
    apns.register_token(TOKEN, CALLS)
    assert apns.handle(good, None).status == 200


def test_token_dies_now_unless_told_otherwise(apns: APNsSimulator, good: ReceivedRequest) -> None:
    apns.kill_token(TOKEN)
    assert said(apns.handle(good, None))[1]["timestamp"] == NOW * 1000


def test_certificate_of_several_topics_needs_to_say_which(
    apns: APNsSimulator, good: ReceivedRequest, certificate: ClientCertificate
) -> None:
    bare = with_headers(good, {"authorization": None})

    assert apns.handle(bare, certificate.certificate).status == 200
    answer = apns.handle(with_headers(bare, {"apns-topic": None}), certificate.certificate)
    assert said(answer) == (400, {"reason": "MissingTopic"})


def test_certificate_may_not_push_to_a_topic_it_does_not_list(
    apns: APNsSimulator, good: ReceivedRequest, certificate: ClientCertificate
) -> None:
    answer = apns.handle(with_headers(good, {"apns-topic": "com.other.voip"}), certificate.certificate)
    assert said(answer) == (400, {"reason": "TopicDisallowed"})


def test_certificate_of_one_topic_need_not_say_it(
    apns: APNsSimulator, good: ReceivedRequest, authority: Authority
) -> None:
    made = authority.client_certificate(topics=(), bundle_id=CALLS, key="ec")
    answer = apns.handle(with_headers(good, {"apns-topic": None, "authorization": None}), made.certificate)

    assert answer.status == 200
    assert apns.accepted[0].topic == CALLS


def test_certificate_of_the_sandbox_is_refused_in_production(
    apns: APNsSimulator, good: ReceivedRequest, authority: Authority
) -> None:
    made = authority.client_certificate(topics=(CALLS,), bundle_id=PHONE, environment="development", key="ec")
    answer = apns.handle(good, made.certificate)
    assert said(answer) == (403, {"reason": "BadCertificateEnvironment"})


def test_faults_are_reported_in_order(apns: APNsSimulator, good: ReceivedRequest) -> None:
    """Everything is wrong; mending the reported fault brings up the next one."""
    request = replace(
        with_headers(
            good,
            {
                "authorization": None,
                "apns-topic": "..",
                "apns-push-type": "call",
                "apns-priority": "9",
                "apns-expiration": "soon",
                "apns-id": "1",
                "apns-collapse-id": "x" * 65,
            },
        ),
        path="/",
        method="PUT",
        body=b"",
    )
    reasons = []
    for mended in (
        {"method": good.method},
        {"path": "/3/device/" + "cd" * 32},
        *({name: good.header(name)} for name in ("authorization", *GOOD)),
        {"body": good.body},
    ):
        reasons.append(said(apns.handle(request, None))[1]["reason"])
        name, value = next(iter(mended.items()))
        request = replace(request, **mended) if hasattr(request, name) else with_headers(request, {name: value})
    reasons.append(said(apns.handle(request, None))[1]["reason"])

    assert reasons == [
        "MethodNotAllowed",
        "BadPath",
        "MissingProviderToken",
        "BadTopic",
        "InvalidPushType",
        "BadPriority",
        "BadExpirationDate",
        "BadMessageId",
        "BadCollapseId",
        "PayloadEmpty",
        "BadDeviceToken",
    ]


@pytest.mark.parametrize(
    ("with_certificate", "gradual", "limit"), [(False, True, 1), (True, True, 1000), (False, False, 1000)]
)
def test_client_without_certificate_starts_with_one_stream(
    authority: Authority, certificate: ClientCertificate, with_certificate: bool, gradual: bool, limit: int
) -> None:
    apns = APNsSimulator(authority, gradual_streams=gradual)
    assert apns.first_stream_limit(certificate.certificate if with_certificate else None) == limit


def test_scripted_refusal_looks_like_apples(apns: APNsSimulator, good: ReceivedRequest) -> None:
    answer = apns.complete(good, Answer(status=429, reason="TooManyRequests", headers=(("retry-after", "7"),)))

    assert said(answer) == (429, {"reason": "TooManyRequests"})
    assert answer.headers == (("apns-id", ID), ("retry-after", "7"))


def test_scripted_410_is_dated_now(apns: APNsSimulator, good: ReceivedRequest) -> None:
    answer = apns.complete(good, Answer(status=410, reason="ExpiredToken"))
    assert said(answer)[1] == {"reason": "ExpiredToken", "timestamp": NOW * 1000}


def test_scripted_body_is_left_alone(apns: APNsSimulator, good: ReceivedRequest) -> None:
    assert apns.complete(good, Answer(status=503, reason="x", body=b"<html>")).body == b"<html>"
