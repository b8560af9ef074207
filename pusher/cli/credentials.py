"""Reads a credential from a file that an operator named, checks it, and says what it is good for."""

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import assert_never

import click

from pusher.clock import utcnow
from pusher.errors import CredentialInvalid
from pusher.providers.apple.credentials import (
    CertificateFacts,
    check_certificate,
    check_token_key,
    from_pkcs12,
)
from pusher.providers.firebase.credentials import check_service_account
from pusher.push.app import App, AppleApp, FirebaseApp, TokenKey

#: Bytes; the largest credential, a certificate with its chain and key, has some ten thousand.
_MAX_BYTES = 262_144
#: Days before the end of a certificate from which it is worth renewing.
RENEW_DAYS = 30
#: What legacy server keys look like: `AIza...`, or a long word with a colon.
_LEGACY_KEY = re.compile(r"AIza[\w-]{20,}|[\w-]{8,}:[\w-]{40,}")


def _read_file(path: str) -> bytes:
    """Return the content of `path`. Raises `click.ClickException`."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise click.ClickException(f"{path}: too large for a credential")
    return data


def _read_text(path: str) -> str:
    """Return the content of `path` as text; what is no text becomes U+FFFD, and the check says what is wrong."""
    return _read_file(path).decode("utf-8", "replace")


def read_certificate(path: str) -> tuple[str, CertificateFacts]:
    """Return the PEM of an Apple certificate with its key, and its facts; asks for a .p12 file's password.

    Raises `click.ClickException`.
    """
    data = _read_file(path)
    # A .p12 file is DER: it begins with a SEQUENCE, which no text does. So does the .cer file of Apple's portal.
    is_der = data[:1] == b"\x30" and not path.lower().endswith((".cer", ".crt", ".der"))
    is_pkcs12 = path.lower().endswith((".p12", ".pfx")) or is_der
    try:
        if is_pkcs12:
            password = click.prompt("Password of the .p12 file", default="", hide_input=True, show_default=False)
            pem = from_pkcs12(data, password)
        else:
            pem = data.decode("utf-8", "replace")
        return pem, check_certificate(pem, utcnow())
    except CredentialInvalid as error:
        raise click.ClickException(f"{path}: {error}") from error


def read_key(path: str, key_id: str, team_id: str) -> TokenKey:
    """Return an APNs authentication key. Raises `click.ClickException`."""
    pem = _read_text(path)
    try:
        check_token_key(pem, key_id, team_id)
    except CredentialInvalid as error:
        raise click.ClickException(f"{path}: {error}") from error
    return TokenKey(key_id=key_id, team_id=team_id, private_key=pem)


def read_service_account(secret: str) -> dict[str, str]:
    """Return the service account in the file that `secret` names. Raises `click.ClickException`."""
    if _LEGACY_KEY.fullmatch(secret) and not os.path.exists(secret):
        raise click.ClickException(
            "this is a legacy server key, and Google has shut down the API it was for: create a service account in "
            "the Firebase console (Project settings, Service accounts) and give its JSON file"
        )
    text = _read_text(secret)
    try:
        return check_service_account(text)
    except CredentialInvalid as error:
        raise click.ClickException(f"{secret}: {error}") from error


def describe(facts: CertificateFacts) -> str:
    """Return what a certificate is good for, in a few lines."""
    return "\n".join(
        (
            f"  bundle id:    {facts.bundle_id or 'not named'}",
            f"  topics:       {', '.join(facts.topics) or 'not named'}",
            f"  environments: {', '.join(facts.environments) or 'not named'}",
            f"  valid until:  {facts.not_after:%Y-%m-%d} ({facts.days_left} days left)",
        )
    )


def certificate_summary(facts: CertificateFacts, host: str) -> str:
    """Return in a line what a certificate reaches `host` with."""
    topics = ", ".join(facts.topics) or "topics not named"
    return f"apple, certificate for {topics}, {facts.days_left} days left, {host}"


def summary(app: App, now: datetime) -> str:
    """Return in a line what `app` reaches its provider with. Raises `CredentialInvalid` for what will not work."""
    match app:
        case AppleApp(token_key=TokenKey() as key):
            check_token_key(key.private_key, key.key_id, key.team_id)
            return f"apple, key {key.key_id} of team {key.team_id}, {app.host}"
        case AppleApp(certificate=str(pem)):
            return certificate_summary(check_certificate(pem, now), app.host)
        case FirebaseApp(service_account=Mapping() as account):
            check_service_account(json.dumps(dict(account)))
            return f"firebase, project {account['project_id']}, {app.host}"
        case AppleApp(unreadable=str(problem)) | FirebaseApp(unreadable=str(problem)):
            raise CredentialInvalid(problem)
        case FirebaseApp(api_key=str()):
            raise CredentialInvalid("a legacy server key, which Google shut down: add a service account instead")
        case AppleApp() | FirebaseApp():
            raise CredentialInvalid("no credential")
        case _:
            assert_never(app)
