"""Only the assertion that RFC 7523 and Google ask for earns an access token."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from google.auth import crypt, jwt

from pusher.simulators.authority import Authority, ServiceAccount
from pusher.simulators.misbehaviour import Answer
from pusher.simulators.token_grants import TokenGrants
from tests.unit.simulators.conftest import NOW, Clock

URL = "https://127.0.0.1:1/token"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"

Ask = Callable[..., Answer]


@pytest.fixture
def grants(service_account: ServiceAccount, clock: Clock) -> TokenGrants:
    made = TokenGrants(now=clock)
    made.add_account(service_account)
    return made


@pytest.fixture
def ask(grants: TokenGrants, service_account: ServiceAccount) -> Ask:
    """Ask for a token with an assertion that is good unless told otherwise."""

    def ask(*, grant_type: str = GRANT_TYPE, key: str | None = None, kid: str | None = None, **claims: Any) -> Answer:
        fields = service_account.fields
        good = {
            "iss": fields["client_email"],
            "aud": URL,
            "scope": "https://www.googleapis.com/auth/firebase.messaging",
            "iat": NOW,
            "exp": NOW + 3600,
        }
        signer = crypt.RSASigner.from_string(fields["private_key"] if key is None else key)
        key_id = fields["private_key_id"] if kid is None else kid
        assertion = jwt.encode(signer, {**good, **claims}, key_id=key_id).decode()
        return grants.grant(urlencode({"grant_type": grant_type, "assertion": assertion}), URL)

    return ask


def test_good_assertion_earns_a_token_for_its_project(grants: TokenGrants, ask: Ask) -> None:
    answer = ask()
    value = json.loads(answer.body or b"")

    assert answer.status == 200
    assert (value["token_type"], value["expires_in"]) == ("Bearer", 3600)
    assert grants.project_of(value["access_token"]) == "phone-project"
    assert grants.count == 1


def test_googles_own_address_is_a_good_audience(ask: Ask) -> None:
    assert ask(aud="https://oauth2.googleapis.com/token").status == 200


def test_each_grant_is_another_token(ask: Ask) -> None:
    assert ask().body != ask().body


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"iss": "nobody@example.com"}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/cloud-platform"}, "invalid_scope"),
        ({"kid": "other"}, "invalid_grant"),
        ({"aud": "https://127.0.0.1:2/token"}, "invalid_grant"),
        ({"iat": None}, "invalid_grant"),
        ({"exp": "soon"}, "invalid_grant"),
        ({"exp": NOW + 3601}, "invalid_grant"),
        ({"iat": NOW + 301, "exp": NOW + 400}, "invalid_grant"),
        ({"iat": NOW - 3600, "exp": NOW}, "invalid_grant"),
        ({"exp": NOW - 1}, "invalid_grant"),
    ],
)
def test_assertion_with_one_fault_earns_an_error(
    grants: TokenGrants, ask: Ask, changed: dict[str, Any], error: str
) -> None:
    answer = ask(**changed)

    assert answer.status == 400
    assert json.loads(answer.body or b"")["error"] == error
    assert grants.count == 0


def test_assertion_signed_by_another_key_earns_an_error(ask: Ask, authority: Authority) -> None:
    other = authority.service_account("other-project", URL)
    answer = ask(key=other.fields["private_key"])
    assert json.loads(answer.body or b"")["error_description"] == "Invalid JWT Signature."


@pytest.mark.parametrize("form", ["", "grant_type=" + GRANT_TYPE, f"grant_type={GRANT_TYPE}&assertion=x"])
def test_form_without_assertion_earns_an_error(grants: TokenGrants, form: str) -> None:
    assert grants.grant(form, URL).status == 400


def test_token_ends_with_its_lifetime(ask: Ask, grants: TokenGrants, clock: Clock) -> None:
    token = json.loads(ask().body or b"")["access_token"]
    clock.now = NOW + 3599
    assert grants.project_of(token) == "phone-project"
    clock.now = NOW + 3600
    assert grants.project_of(token) is None


def test_revoked_tokens_are_good_for_nothing(ask: Ask, grants: TokenGrants) -> None:
    token = json.loads(ask().body or b"")["access_token"]
    grants.revoke_all()
    assert grants.project_of(token) is None


def test_projects_are_those_of_the_accounts(grants: TokenGrants) -> None:
    assert grants.projects == {"phone-project"}
