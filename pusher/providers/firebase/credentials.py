"""Whether a Firebase service account will work: checked when an app is added, again when it is first used."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pusher.errors import CredentialInvalid

_NEEDED = ("project_id", "private_key_id", "private_key", "client_email", "token_uri")
#: It becomes part of a path; a slash in it would address something else.
_PROJECT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}")


def check_service_account(text: str) -> dict[str, str]:
    """Return the texts in a service account's JSON, as the console exports it. Raises `CredentialInvalid`."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CredentialInvalid("this is not JSON: export a new key under Service accounts in the console") from error
    if not isinstance(document, dict):
        raise CredentialInvalid("this JSON is not an object, so it is no service account")
    account = {key: value for key, value in document.items() if isinstance(value, str)}
    check_fields(account)
    return account


def check_fields(account: Mapping[str, str]) -> None:
    """Check the fields of a service account. Raises `CredentialInvalid`."""
    if account.get("type") != "service_account":
        raise CredentialInvalid(
            "its type is not service_account: google-services.json and other files do not work here"
        )
    missing = [name for name in _NEEDED if not account.get(name)]
    if missing:
        raise CredentialInvalid(f"the service account lacks {', '.join(missing)}")
    if not _PROJECT_ID.fullmatch(account["project_id"]):
        raise CredentialInvalid("the service account's project_id is not a project id")
    _check_token_uri(account["token_uri"])
    _check_key(account["private_key"])


def _check_token_uri(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise CredentialInvalid("the service account's token_uri is not an address") from error
    if parts.scheme != "https" or not host or not uri.isprintable() or " " in uri:
        raise CredentialInvalid("the service account's token_uri is not an https address")


def _check_key(pem: str) -> None:
    try:
        key = serialization.load_pem_private_key(pem.encode("utf-8", "replace"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CredentialInvalid("the service account's private_key is damaged: export a new key") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CredentialInvalid("the service account's private_key is not an RSA key: export a new key")
