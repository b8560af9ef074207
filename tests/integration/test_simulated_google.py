"""The token endpoint and FCM over real TLS, asked by Google's own library."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import google.auth.exceptions
import pytest
import requests
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials

from pusher.simulators.authority import Authority, ServiceAccount
from pusher.simulators.firebase import FCMSimulator
from pusher.simulators.misbehaviour import Answer, Delay, Silent
from pusher.simulators.token_server import TokenServer
from tests.integration.raw_http2 import RawHTTP2
from tests.support.until import until

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


@pytest.fixture
def tokens(authority: Authority) -> Iterator[TokenServer]:
    with TokenServer(authority) as made:
        yield made


@pytest.fixture
def account(authority: Authority, tokens: TokenServer) -> ServiceAccount:
    made = authority.service_account("phone-project", tokens.url)
    tokens.add_account(made)
    return made


@pytest.fixture
def session(authority: Authority) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.verify = str(authority.ca_file)
        yield made


def granted(account: ServiceAccount, session: requests.Session, timeout_s: float = 5.0) -> str:
    """Return an access token, as any user of Google's library gets one."""
    credentials = Credentials.from_service_account_info(account.fields, scopes=[SCOPE])
    transport = Request(session)
    credentials.refresh(lambda *args, **kwargs: transport(*args, **{**kwargs, "timeout": timeout_s}))
    token: str = credentials.token
    return token


def test_googles_library_is_granted_a_token(
    tokens: TokenServer, account: ServiceAccount, session: requests.Session
) -> None:
    token = granted(account, session)

    assert tokens.project_of(token) == "phone-project"
    assert tokens.project_of("other") is None
    assert (tokens.grants, tokens.requests) == (1, 1)


def test_unknown_account_is_refused(tokens: TokenServer, authority: Authority, session: requests.Session) -> None:
    stranger = authority.service_account("phone-project", tokens.url)
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        granted(stranger, session)
    assert (tokens.grants, tokens.requests) == (0, 1)


def test_scripted_errors_then_the_right_thing(
    tokens: TokenServer, account: ServiceAccount, session: requests.Session
) -> None:
    tokens.next(Answer(status=400, reason="invalid_grant"))
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        granted(account, session)
    tokens.next(Answer(status=500, body=b"<html>", headers=(("retry-after", "7"),)))
    answer = session.post(tokens.url, timeout=5)

    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (500, "<html>", "7")
    assert granted(account, session)


def test_always_lasts_until_cleared(tokens: TokenServer, account: ServiceAccount, session: requests.Session) -> None:
    tokens.always(Answer(status=503))
    assert [session.post(tokens.url, timeout=5).status_code for _ in range(2)] == [503, 503]
    tokens.clear()
    assert granted(account, session)


def test_other_paths_are_not_found(tokens: TokenServer, session: requests.Session) -> None:
    assert session.post(tokens.url + "s", timeout=5).status_code == 404


def test_slow_answer(tokens: TokenServer, account: ServiceAccount, session: requests.Session) -> None:
    tokens.next(Delay(delay_s=0.1))
    started = time.monotonic()
    assert granted(account, session)
    assert time.monotonic() - started >= 0.1


def test_silence_lasts_until_the_server_closes(authority: Authority, session: requests.Session) -> None:
    with TokenServer(authority) as tokens:
        tokens.next(Silent())
        with pytest.raises(requests.exceptions.ReadTimeout):
            session.post(tokens.url, timeout=0.1)
        assert tokens.requests == 1


def test_client_that_does_not_know_the_authority_is_no_drama(
    tokens: TokenServer,
    account: ServiceAccount,
    session: requests.Session,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with requests.Session() as stranger:
        stranger.trust_env = False
        stranger.verify = str(Authority(tmp_path).ca_file)
        with pytest.raises(requests.exceptions.SSLError):
            stranger.post(tokens.url, timeout=5)
    assert granted(account, session)
    assert capfd.readouterr().err == ""


def test_closed_token_server_comes_back_on_its_port(authority: Authority, session: requests.Session) -> None:
    tokens = TokenServer(authority)
    with tokens:
        url = tokens.url
        account = authority.service_account("phone-project", url)
        tokens.add_account(account)
        assert granted(account, session)
    with pytest.raises(requests.exceptions.ConnectionError):
        session.post(url, timeout=5)
    with tokens:
        assert tokens.url == url
        assert granted(account, session)


def test_granted_token_sends_a_message_until_it_is_revoked(
    tokens: TokenServer, account: ServiceAccount, session: requests.Session, authority: Authority
) -> None:
    rung: list[tuple[str, object]] = []
    headers = {"authorization": f"Bearer {granted(account, session)}"}
    message = {"token": "phone", "data": {"call-id": "abc"}}
    path, body = "/v1/projects/phone-project/messages:send", json.dumps({"message": message}).encode()

    with (
        FCMSimulator(authority, tokens, on_push=lambda token, payload, _: rung.append((token, payload))) as fcm,
        RawHTTP2(fcm.port, authority.ca_file) as client,
    ):
        fcm.register_token("phone", "phone-project")
        answer = client.answer(client.post(path, headers, body))
        assert answer.status == 200
        assert json.loads(answer.body) == {"name": fcm.accepted[0].name}
        until(lambda: rung == [("phone", message)])

        fcm.next(Answer(status=503, reason="UNAVAILABLE"), token="phone")
        assert json.loads(client.answer(client.post(path, headers, body)).body)["error"]["status"] == "UNAVAILABLE"
        tokens.revoke_all()
        assert client.answer(client.post(path, headers, body)).status == 401
        assert client.answer(client.post("/fcm/send", headers, body)).status == 404
