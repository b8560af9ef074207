"""`pusher push`: a test push to a known device, and the provider's verdict in words."""

import json
import time
import uuid
from dataclasses import asdict, dataclass
from functools import partial
from typing import assert_never

import click

from pusher import wiring
from pusher.cli.advice import ADVICE, because
from pusher.cli.hush import hushed
from pusher.cli.table import printable
from pusher.errors import DocumentMissing
from pusher.flows.deliver_push import DeliverPush
from pusher.messages.push_request import PushRequest
from pusher.push.app import ProviderName
from pusher.push.notification import Notification
from pusher.push.outcome import Delivered, FailureReason, Outcome, Refused, TokenDead, TryLater
from pusher.push.routing import provider_of
from pusher.redact import fingerprint
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from pusher.settings import Settings
from pusher.stores.sent import RedisSent


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of the push; the object that `--json` prints."""

    #: `accepted`, `token_dead`, `try_later` or `refused`.
    outcome: str
    provider: str
    app: str
    #: The token's fingerprint.
    token: str
    #: Milliseconds until the verdict.
    ms: float
    #: The provider's name for an accepted push.
    ref: str | None = None
    #: The Push-Reason a call would be answered with; None where accepted, as all below.
    reason: str | None = None
    #: The provider's own word, or ours where it was not reached.
    code: str | None = None
    #: What the provider says with it.
    detail: str | None = None
    means: str | None = None
    todo: str | None = None


@click.command()
@click.argument("account_id")
@click.argument("device_id")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for machines.")
def push(account_id: str, device_id: str, as_json: bool) -> None:
    """Send a test push to a device, as if a call came in, and say what the provider answers.

    The app wakes and finds no call. Exit status 1 unless the provider accepts.

    \b
    Example:
      pusher push 0011223344556677889900aabbccddee aabbccddeeff00112233445566778899
    """
    device = Device.of(account_id, device_id)
    if device is None:
        raise click.UsageError("name an account and a device")
    with hushed():
        verdict = _push(device, Settings.from_environment(), quiet=as_json)
    _say(verdict, as_json)


def _push(device: Device, settings: Settings, *, quiet: bool) -> Verdict:
    """Send the push once and return what came of it. Raises `click.ClickException` where there is nothing to send."""
    edges = wiring.Edges.of(settings)
    push_services = wiring.providers(edges)
    try:
        learned = _push_object(edges, device)
        deliver = DeliverPush(settings=edges.system_config, providers=push_services, sent=RedisSent(edges.redis))
        notification = _notification(learned, device, settings.wake_window_s)
        if not quiet:
            kind, app_id = printable(learned.token_type), printable(learned.app_id)
            click.echo(f"Pushing to {kind} token {fingerprint(learned.token)} of app {app_id} ...")
        return _verdict(notification, deliver(notification))
    finally:
        for push_service in push_services.values():
            push_service.close()
        edges.close()


def _push_object(edges: wiring.Edges, device: Device) -> PushObject:
    try:
        document = edges.documents.read(device.database, device.device_id)
    except DocumentMissing as error:
        raise click.ClickException(f"the device has no document: {error}") from error
    entries = document.get("push")
    texts = entries.items() if isinstance(entries, dict) else ()
    learned = PushObject(tuple((key, value) for key, value in texts if isinstance(value, str)))
    if not (learned.token and learned.token_type and learned.app_id):
        raise click.ClickException("no push token is known for this device: it must register first")
    return learned


def _notification(learned: PushObject, device: Device, wake_window_s: float) -> Notification:
    provider = provider_of(learned.token_type or "")
    if provider is None:
        raise click.ClickException(f"no push provider is known for Token-Type {printable(learned.token_type)}")
    request = PushRequest(
        token=learned.token or "",
        token_type=learned.token_type or "",
        app_id=learned.app_id or "",
        call_id=f"{uuid.uuid4()}@pusher",
        alert_key="IC_SIL",
        alert_params=("Pusher test",),
        account_id=device.account_id,
        device_id=device.device_id,
    )
    return Notification.of(request, provider, received_at=time.time(), wake_window_s=wake_window_s)


def _verdict(notification: Notification, outcome: Outcome) -> Verdict:
    verdict = partial(
        Verdict,
        provider=str(notification.provider),
        app=notification.request.app_id,
        token=fingerprint(notification.request.token),
        ms=round(1000 * (time.time() - notification.received_at), 1),
    )
    detail: str | None
    match outcome:
        case Delivered():
            return verdict(outcome="accepted", ref=outcome.provider_ref)
        case TokenDead():
            kind, reason, detail = "token_dead", FailureReason.DEAD_TOKEN, _said(notification.provider, outcome.code)
        case TryLater():
            kind, reason = "try_later", FailureReason.PROVIDER_UNAVAILABLE
            detail = _said(notification.provider, outcome.code)
        case Refused():
            kind, reason, detail = "refused", outcome.reason, outcome.detail
        case _:
            assert_never(outcome)
    means, todo = ADVICE[reason]
    return verdict(outcome=kind, reason=str(reason), code=outcome.code, detail=detail, means=means, todo=todo)


def _said(provider: ProviderName, code: str) -> str | None:
    sentence = because(provider, code)
    return None if sentence is None else f"{sentence[0].upper()}{sentence[1:]}."


def _say(verdict: Verdict, as_json: bool) -> None:
    """Print the verdict. Raises `click.ClickException` where the push was not accepted."""
    if as_json:
        click.echo(json.dumps(asdict(verdict), indent=2))
    elif verdict.ref is not None:
        click.echo(f"Accepted after {verdict.ms:.0f} ms as {verdict.ref}.")
    else:
        click.echo(f"Not accepted after {verdict.ms:.0f} ms.")
        for name, value in (
            ("The answer", verdict.code),
            ("In words", verdict.detail),
            ("It means", verdict.means),
            ("What to do", verdict.todo),
        ):
            if value is not None:
                click.echo(f"  {name + ':':12}{printable(value)}")
    if verdict.ref is None:
        raise click.ClickException(f"{verdict.reason} ({printable(verdict.code)})")
