"""Push through APNs: checks before the wire, which connection, one more try where an answer asks for it."""

import re
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pusher import trust
from pusher.clock import Deadline, from_epoch
from pusher.errors import CredentialInvalid, GrantFailed, SettingsInvalid, TransportError
from pusher.http2.request import Request
from pusher.ports import SharedTokens
from pusher.providers.apple.auth import PROVIDER_TOKEN_AGES, issue_with, token_name
from pusher.providers.apple.credentials import check_certificate, check_token_key, present_certificate
from pusher.providers.apple.headers import headers_for
from pusher.providers.apple.payload import body_for
from pusher.providers.apple.responses import Kind, Reading, read_answer
from pusher.providers.pools import Connect, Lease, PoolKey, Pools, connect_http2
from pusher.providers.shared_secrets import SharedSecrets
from pusher.providers.unknown_answer import log_unknown
from pusher.push.app import App, AppleApp, TokenKey
from pusher.push.notification import Notification
from pusher.push.outcome import FailureReason, Outcome, Refused, TryLater
from pusher.redact import digest

_TOKEN = re.compile(r"(?:[0-9a-f]{2}){32,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One push on its way, the provider token left out, which may change on the way."""

    notification: Notification
    request: Request
    key: TokenKey | None
    lease: Lease
    deadline: Deadline


class APNsClient:
    """The `Provider` for iOS devices. Safe for threads."""

    def __init__(
        self,
        *,
        ca_file: str | None,
        proxy_url: str | None,
        shared_tokens: SharedTokens,
        clock: Callable[[], float] = time.time,
        connect: Connect = connect_http2,
    ) -> None:
        self._ca_file = ca_file
        self._clock = clock
        self._pools = Pools(proxy_url=proxy_url, connect=connect)
        self._tokens = SharedSecrets(shared_tokens, PROVIDER_TOKEN_AGES, wall=clock)

    def push(self, notification: Notification, app: App, deadline: Deadline) -> Outcome:
        """Send once, twice where the answer asks for it at once; see `Provider`."""
        if not isinstance(app, AppleApp):
            return _refused(FailureReason.UNKNOWN_APP, "wrong_provider", "The app has no settings for APNs.")
        request = _request(notification, app)
        if isinstance(request, Refused):
            return request
        if app.certificate is None and app.token_key is None:
            return _without_credential(app)
        try:
            with self._lease(app) as lease:
                return self._send(
                    _Attempt(
                        notification=notification,
                        request=request,
                        key=app.token_key,
                        lease=lease,
                        deadline=deadline,
                    )
                )
        except CredentialInvalid as error:
            return _refused(FailureReason.NO_CREDENTIAL, "credential_invalid", f"The APNs credential fails: {error}.")
        except SettingsInvalid as error:
            return _refused(FailureReason.REFUSED, "host_invalid", f"A setting fails: {error}.")
        except (TransportError, GrantFailed) as error:
            return TryLater(code=str(error))

    def warm(self, app: App, deadline: Deadline) -> bool:
        """Open a connection where there is none, and make a provider token where there is none; see `Provider`."""
        if not isinstance(app, AppleApp) or (app.certificate is None and app.token_key is None):
            return False
        try:
            with self._lease(app) as lease:
                # It is being opened while the token is made.
                ready = lease.pool.warm()
                if app.token_key is not None:
                    self._token(app.token_key, deadline)
                return ready
        except (CredentialInvalid, SettingsInvalid, TransportError, GrantFailed):
            return False  # The next push tells why.

    def close(self) -> None:
        """Close all connections."""
        self._pools.close()

    def _lease(self, app: AppleApp) -> AbstractContextManager[Lease]:
        return self._pools.lease(app.app_id, _pool_key(app), self._clock(), lambda: self._context(app))

    def _token(self, key: TokenKey, deadline: Deadline) -> str:
        return self._tokens.get(token_name(key), issue_with(key), deadline)

    def _context(self, app: AppleApp) -> tuple[ssl.SSLContext, float | None]:
        """Return the TLS context for new connections of `app`, and when its certificate ends."""
        # The check comes first: loading the system's authorities is slow and holds up other apps.
        if app.token_key is not None:
            key = app.token_key
            check_token_key(key.private_key, key.key_id, key.team_id)
            return trust.client_context(self._ca_file), None
        certificate = app.certificate or ""
        facts = check_certificate(certificate, from_epoch(self._clock()))
        context = trust.client_context(self._ca_file)
        present_certificate(context, certificate)
        return context, facts.not_after.timestamp()

    def _send(self, attempt: _Attempt) -> Outcome:
        token = None
        if attempt.key is not None:
            token = self._token(attempt.key, attempt.deadline)
        reading = self._exchange(attempt, token)
        if reading.kind is Kind.NEW_CONNECTION:
            attempt.lease.renew()
        if reading.kind is Kind.RESEND:
            attempt.lease.renew()
            reading = self._exchange(attempt, token)
        elif reading.kind is Kind.NEW_TOKEN and attempt.key is not None and token is not None:
            newer = self._tokens.renew(token_name(attempt.key), token, issue_with(attempt.key), attempt.deadline)
            if newer is not None:
                attempt.lease.renew()
                reading = self._exchange(attempt, newer)
        return reading.outcome

    def _exchange(self, attempt: _Attempt, token: str | None) -> Reading:
        """Send the request and read the answer. Raises `TransportError`."""
        request = attempt.request
        if token is not None:
            fields = (*request.headers, ("authorization", f"bearer {token}"))
            request = Request(path=request.path, headers=fields, body=request.body)
        response = attempt.lease.send(request, attempt.deadline)
        reading = read_answer(response, attempt.notification.push_id, from_epoch(self._clock()))
        if reading.kind is None and isinstance(reading.outcome, Refused):
            log_unknown("APNs", reading.outcome, attempt.notification.request)
        return reading


def _request(notification: Notification, app: AppleApp) -> Request | Refused:
    """Return the request without its `authorization`, `Refused` where it could only be refused."""
    token = notification.request.token.lower()
    if not _TOKEN.fullmatch(token):
        return _refused(
            FailureReason.MALFORMED_TOKEN,
            "malformed_token",
            "The Token-ID is not 64 to 200 hex digits, an even number.",
        )
    headers = headers_for(notification, app)
    if headers is None:
        return _refused(FailureReason.REFUSED, "bad_topic", "The app id makes no topic: set apple.apns_topic.")
    body = body_for(notification, headers.push_type)
    if isinstance(body, Refused):
        return body
    return Request(path=f"/3/device/{token}", headers=headers.fields, body=body)


def _without_credential(app: AppleApp) -> Refused:
    reason = FailureReason.NO_CREDENTIAL
    if app.unreadable is not None:
        return _refused(reason, "credential_unreadable", f"The APNs credential fails: {app.unreadable}.")
    return _refused(reason, "no_credential", "The app has neither a certificate nor a key for APNs.")


def _pool_key(app: AppleApp) -> PoolKey:
    """Return what decides over the connection: the apps of a team key share one."""
    if app.token_key is not None:
        credential = token_name(app.token_key)
    else:
        credential = "certificate:" + digest("".join((app.certificate or "").split()))
    return PoolKey(app.host.lower(), credential)


def _refused(reason: FailureReason, code: str, detail: str) -> Refused:
    return Refused(reason=reason, code=code, detail=detail)
