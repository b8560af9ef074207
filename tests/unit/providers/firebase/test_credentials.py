"""Every way to get a service account wrong has its own sentence."""

import json
from typing import Any

import pytest

from pusher.errors import CredentialInvalid
from pusher.providers.firebase.credentials import check_service_account
from tests.unit.providers.issued import elliptic_key, key_pem, service_account, service_account_text


def test_good_account_comes_back_with_its_texts() -> None:
    assert check_service_account(service_account_text(extra=7)) == service_account()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "this is not JSON"),
        ("AIzaSyLegacyServerKey", "this is not JSON"),
        ("[" * 100_000, "this is not JSON"),
        ("[]", "not an object"),
        ('"x"', "not an object"),
        ("{}", "type is not service_account"),
        (service_account_text(type="authorized_user"), "type is not service_account"),
        (service_account_text(type=7), "type is not service_account"),
    ],
)
def test_what_is_no_service_account(text: str, sentence: str) -> None:
    with pytest.raises(CredentialInvalid, match=sentence):
        check_service_account(text)


@pytest.mark.parametrize("name", ["project_id", "private_key_id", "private_key", "client_email", "token_uri"])
@pytest.mark.parametrize("value", [None, "", 7, {}])
def test_missing_field_is_named(name: str, value: Any) -> None:
    with pytest.raises(CredentialInvalid, match=f"lacks {name}$"):
        check_service_account(service_account_text(**{name: value}))


def test_all_missing_fields_are_named() -> None:
    with pytest.raises(
        CredentialInvalid, match="lacks project_id, private_key_id, private_key, client_email, token_uri"
    ):
        check_service_account(json.dumps({"type": "service_account"}))


@pytest.mark.parametrize("project_id", ["a/b", "../x", "a b", "é", "a?b", "a\n", "a" * 200])
def test_odd_project_id(project_id: str) -> None:
    with pytest.raises(CredentialInvalid, match="project_id"):
        check_service_account(service_account_text(project_id=project_id))


@pytest.mark.parametrize(
    "uri",
    [
        "http://x.example/",
        "ftp://x",
        "x",
        "https://",
        "https://[x",
        "https://a:b/",
        "https://a b/",
        "https://a/\n",
    ],
)
def test_token_uri_that_is_not_https(uri: str) -> None:
    with pytest.raises(CredentialInvalid, match="token_uri"):
        check_service_account(service_account_text(token_uri=uri))


@pytest.mark.parametrize("key", ["x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "\ud800"])
def test_unusable_key(key: str) -> None:
    with pytest.raises(CredentialInvalid, match="private_key is damaged"):
        check_service_account(service_account_text(private_key=key))


def test_key_of_another_kind() -> None:
    with pytest.raises(CredentialInvalid, match="not an RSA key"):
        check_service_account(service_account_text(private_key=key_pem(elliptic_key())))
