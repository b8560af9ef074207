"""Push through FCM HTTP v1: checks before the wire, the access token, one more try with a new one."""

import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import requests

from pusher import trust
from pusher.clock import Deadline, from_epoch
from pusher.errors import CredentialInvalid, GrantFailed, SettingsInvalid, TransportError
from pusher.http2.request import Request
from pusher.ports import SharedTokens
from pusher.providers.firebase.auth import ACCESS_TOKEN_AGES, issue_with, token_name
from pusher.providers.firebase.credentials import check_fields
from pusher.providers.firebase.payload import body_for
from pusher.providers.firebase.responses import Kind, Reading, read_answer
from pusher.providers.pools import Connect, Lease, PoolKey, Pools, connect_http2
from pusher.providers.shared_secrets import SharedSecrets
from pusher.providers.unknown_answer import log_unknown
from pusher.push.app import App, FirebaseApp
from pusher.push.notification import Notification
from pusher.push.outcome import FailureReason, Outcome, Refused, TryLater
from pusher.redact import digest

#: Makes the session for token servers of a CA file and a proxy URL.
OpenSession = Callable[[str | None, str | None], requests.Session]

_TOKEN = re.compile(r"[A-Za-z0-9_:.~-]{1,4096}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One push on its way, the access token left out, which may change on the way."""

    notification: Notification
    account: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    lease: Lease
    deadline: Deadline


class FCMClient:
    """The `Provider` for Android devices. Safe for threads."""

    def __init__(
        self,
        *,
        ca_file: str | None,
        proxy_url: str | None,
        shared_tokens: SharedTokens,
        clock: Callable[[], float] = time.time,
        connect: Connect = connect_http2,
        open_session: OpenSession = trust.session,
    ) -> None:
        self._ca_file = ca_file
        self._clock = clock
        self._pools = Pools(proxy_url=proxy_url, connect=connect)
        self._tokens = SharedSecrets(shared_tokens, ACCESS_TOKEN_AGES, wall=clock)
        self._session = open_session(ca_file, proxy_url)

    def push(self, notification: Notification, app: App, deadline: Deadline) -> Outcome:
        """Send once, twice if the access token turns out to be stale; see `Provider`."""
        if not isinstance(app, FirebaseApp):
            return _refused(FailureReason.UNKNOWN_APP, "wrong_provider", "The app has no settings for FCM.")
        if not _TOKEN.fullmatch(notification.request.token):
            return _refused(
                FailureReason.MALFORMED_TOKEN,
                "malformed_token",
                "The Token-ID has characters that FCM tokens never have.",
            )
        account = app.service_account
        if account is None:
            return _without_account(app)
        body = body_for(notification, self._clock())
        if isinstance(body, Refused):
            return body
        try:
            with self._lease(app, account) as lease:
                return self._send(
                    _Attempt(notification=notification, account=account, body=body, lease=lease, deadline=deadline)
                )
        except CredentialInvalid as error:
            return _refused(FailureReason.NO_CREDENTIAL, "credential_invalid", f"The service account fails: {error}.")
        except SettingsInvalid as error:
            return _refused(FailureReason.REFUSED, "host_invalid", f"A setting fails: {error}.")
        except GrantFailed as error:
            if error.ours:
                return _refused(FailureReason.CREDENTIAL_REFUSED, "grant_refused", f"No access token: {error}.")
            return TryLater(code=str(error))
        except TransportError as error:
            return TryLater(code=str(error))

    def warm(self, app: App, deadline: Deadline) -> bool:
        """Open a connection where there is none, and get an access token where there is none; see `Provider`."""
        if not isinstance(app, FirebaseApp) or app.service_account is None:
            return False
        account = app.service_account
        try:
            with self._lease(app, account) as lease:
                # It is being opened while the token server answers.
                ready = lease.pool.warm()
                self._token(account, deadline)
                return ready
        except (CredentialInvalid, SettingsInvalid, TransportError, GrantFailed):
            return False  # The next push tells why.

    def close(self) -> None:
        """Close all connections."""
        self._pools.close()
        self._session.close()

    def _lease(self, app: FirebaseApp, account: Mapping[str, str]) -> AbstractContextManager[Lease]:
        return self._pools.lease(app.app_id, _pool_key(app, account), self._clock(), lambda: self._context(account))

    def _token(self, account: Mapping[str, str], deadline: Deadline) -> str:
        return self._tokens.get(token_name(account), issue_with(account, self._session), deadline)

    def _context(self, account: Mapping[str, str]) -> tuple[ssl.SSLContext, float | None]:
        # The check comes first: loading the system's authorities is slow and holds up other apps.
        check_fields(account)
        return trust.client_context(self._ca_file), None

    def _send(self, attempt: _Attempt) -> Outcome:
        token = self._token(attempt.account, attempt.deadline)
        reading = self._exchange(attempt, token)
        if reading.kind is Kind.NEW_TOKEN:
            name, issue = token_name(attempt.account), issue_with(attempt.account, self._session)
            newer = self._tokens.renew(name, token, issue, attempt.deadline)
            if newer is not None:
                reading = self._exchange(attempt, newer)
        return reading.outcome

    def _exchange(self, attempt: _Attempt, token: str) -> Reading:
        """Send the message and read the answer. Raises `TransportError`."""
        request = Request(
            path=f"/v1/projects/{attempt.account['project_id']}/messages:send",
            headers=(("authorization", f"Bearer {token}"),),
            body=attempt.body,
        )
        response = attempt.lease.send(request, attempt.deadline)
        reading = read_answer(response, attempt.notification.push_id, from_epoch(self._clock()))
        if reading.kind is None and isinstance(reading.outcome, Refused):
            log_unknown("FCM", reading.outcome, attempt.notification.request)
        return reading


def _without_account(app: FirebaseApp) -> Refused:
    if app.unreadable is not None:
        return _refused(
            FailureReason.NO_CREDENTIAL, "credential_unreadable", f"The service account fails: {app.unreadable}."
        )
    if app.api_key is not None:
        return _refused(
            FailureReason.LEGACY_KEY,
            "legacy_key",
            "Google shut down legacy FCM server keys in 2024: add the app with a service account's JSON.",
        )
    return _refused(FailureReason.NO_CREDENTIAL, "no_credential", "The app has no service account for FCM.")


def _pool_key(app: FirebaseApp, account: Mapping[str, str]) -> PoolKey:
    """Return what decides over the connection; the account is not checked yet, so fields may be missing."""
    names = ("project_id", "client_email", "token_uri", "private_key")
    return PoolKey(app.host.lower(), digest("\0".join(account.get(name, "") for name in names)))


def _refused(reason: FailureReason, code: str, detail: str) -> Refused:
    return Refused(reason=reason, code=code, detail=detail)
