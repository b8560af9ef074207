"""`pusher push`: a test push to a known device."""

import time
import uuid
from typing import assert_never

import click

from pusher import wiring
from pusher.cli.table import printable
from pusher.errors import DocumentMissing
from pusher.flows.deliver_push import DeliverPush
from pusher.messages.push_request import PushRequest
from pusher.push.notification import Notification
from pusher.push.outcome import Delivered, Outcome, Refused, TokenDead, TryLater
from pusher.push.routing import provider_of
from pusher.redact import fingerprint
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject
from pusher.settings import Settings
from pusher.stores.sent import RedisSent


@click.command()
@click.argument("account_id")
@click.argument("device_id")
def push(account_id: str, device_id: str) -> None:
    """Send a test push to a device, as if a call came in, and say what the provider answers.

    The app wakes and finds no call. Exit status 1 unless the provider accepts.

    \b
    Example:
      pusher push 0011223344556677889900aabbccddee aabbccddeeff00112233445566778899
    """
    device = Device.of(account_id, device_id)
    if device is None:
        raise click.UsageError("name an account and a device")
    settings = Settings.from_environment()
    edges = wiring.Edges.of(settings)
    push_services = wiring.providers(edges)
    try:
        learned = _push_object(edges, device)
        deliver = DeliverPush(settings=edges.system_config, providers=push_services, sent=RedisSent(edges.redis))
        notification = _notification(learned, device, settings.wake_window_s)
        kind, app_id = printable(learned.token_type), printable(learned.app_id)
        click.echo(f"Pushing to {kind} token {fingerprint(learned.token)} of app {app_id} ...")
        outcome = deliver(notification)
    finally:
        for push_service in push_services.values():
            push_service.close()
        edges.close()
    _say(outcome, 1000 * (time.time() - notification.received_at))


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


def _say(outcome: Outcome, ms: float) -> None:
    match outcome:
        case Delivered():
            click.echo(f"Accepted after {ms:.0f} ms as {outcome.provider_ref}.")
        case TokenDead():
            raise click.ClickException(f"the provider says that the token is dead ({outcome.code})")
        case TryLater():
            raise click.ClickException(f"not accepted now, trying later may help ({outcome.code})")
        case Refused():
            raise click.ClickException(f"refused, {outcome.reason}: {outcome.detail} ({outcome.code})")
        case _:
            assert_never(outcome)
