"""The `pusher maintenance` commands about apps; a credential is checked before it is saved."""

from dataclasses import replace

import click

from pusher.cli.change import change
from pusher.cli.credentials import describe, read_certificate, read_key, read_service_account, summary
from pusher.cli.table import printable, table
from pusher.clock import utcnow
from pusher.documents import pusher_document
from pusher.documents.sealed import SecretKeys
from pusher.errors import CredentialInvalid, SettingsInvalid
from pusher.http2.origin import Origin
from pusher.push.app import App
from pusher.settings import Settings
from pusher.wiring import Edges


@click.command("add-apple-app")
@click.argument("app_id")
@click.argument("cert_file")
@click.argument("host", required=False)
def add_apple_app(app_id: str, cert_file: str, host: str | None) -> None:
    """Add an app with an APNs certificate: PEM with certificate and key, or a .p12 file.

    HOST may be host:port; the default is api.push.apple.com.

    \b
    Example:
      pusher maintenance add-apple-app org.example.app.voip.prod push.pem
    """
    pem, facts = read_certificate(cert_file)
    _check_host(host)
    stored = _secret_keys().seal(pem)
    change(lambda document: pusher_document.set_apple_certificate(document, app_id, stored, host))
    click.echo(f"Added {app_id} with this certificate:\n{describe(facts)}")
    _hint_at_sandbox(app_id, host)


@click.command("add-apple-key")
@click.argument("app_id")
@click.argument("key_file")
@click.argument("key_id")
@click.argument("team_id")
@click.argument("host", required=False)
def add_apple_key(app_id: str, key_file: str, key_id: str, team_id: str, host: str | None) -> None:
    """Add an app with an APNs authentication key, the .p8 file of the developer portal.

    \b
    Example:
      pusher maintenance add-apple-key org.example.app.voip.prod AuthKey_ABC1234567.p8 ABC1234567 TEAM123456
    """
    key = read_key(key_file, key_id, team_id)
    _check_host(host)
    stored = replace(key, private_key=_secret_keys().seal(key.private_key))
    change(lambda document: pusher_document.set_apple_key(document, app_id, stored, host))
    click.echo(f"Added {app_id} with key {key_id} of team {team_id}.")
    _hint_at_sandbox(app_id, host)


@click.command("add-firebase-app")
@click.argument("app_id")
@click.argument("secret")
@click.argument("host", required=False)
def add_firebase_app(app_id: str, secret: str, host: str | None) -> None:
    """Add an app with a Google service account, the JSON file of the Firebase console.

    Legacy server keys no longer work: they are recognised and refused.

    \b
    Example:
      pusher maintenance add-firebase-app org.example.app service-account.json
    """
    account = read_service_account(secret)
    _check_host(host)
    stored = _secret_keys().seal_object(account)
    change(lambda document: pusher_document.set_service_account(document, app_id, stored, host))
    click.echo(f"Added {app_id} with service account {account['client_email']} of {account['project_id']}.")


@click.command("list-apps")
def list_apps() -> None:
    """List the apps and what they reach their provider with.

    \b
    Example:
      pusher maintenance list-apps
    """
    table(("App", "State", "Credential"), [(app.app_id, _state(app), _credential(app)) for app in _apps()])


@click.command("show-app")
@click.argument("app_id")
def show_app(app_id: str) -> None:
    """Show one app, without its secrets.

    \b
    Example:
      pusher maintenance show-app org.example.app
    """
    apps = [app for app in _apps() if app.app_id == app_id]
    if not apps:
        raise SettingsInvalid(app_id, "is not known: see pusher maintenance list-apps")
    for app in apps:
        click.echo(f"{printable(app)}\n  {_state(app)}; {printable(_credential(app))}")


@click.command("enable-app")
@click.argument("app_id")
def enable_app(app_id: str) -> None:
    """Let pushes to an app go out again.

    \b
    Example:
      pusher maintenance enable-app org.example.app
    """
    change(lambda document: pusher_document.set_enabled(document, app_id, True))
    click.echo(f"Enabled {app_id}.")


@click.command("disable-app")
@click.argument("app_id")
def disable_app(app_id: str) -> None:
    """Refuse all pushes to an app, until it is enabled again; its calls fail over at once.

    \b
    Example:
      pusher maintenance disable-app org.example.app
    """
    change(lambda document: pusher_document.set_enabled(document, app_id, False))
    click.echo(f"Disabled {app_id}.")


@click.command("remove-app")
@click.argument("app_id")
def remove_app(app_id: str) -> None:
    """Forget an app and its credentials.

    \b
    Example:
      pusher maintenance remove-app org.example.app
    """
    change(lambda document: pusher_document.remove_app(document, app_id))
    click.echo(f"Removed {app_id}.")


def _apps() -> tuple[App, ...]:
    with Edges.of(Settings.from_environment()) as edges:
        return edges.system_config.apps()


def _secret_keys() -> SecretKeys:
    return SecretKeys(Settings.from_environment().secret_keys)


def _check_host(host: str | None) -> None:
    if host is not None:
        Origin.parse(host)


def _hint_at_sandbox(app_id: str, host: str | None) -> None:
    if host is None and app_id.endswith(".dev"):
        click.echo(
            "Hint: an app id ending in .dev often belongs to a development build, whose tokens only work with "
            "host api.sandbox.push.apple.com.",
            err=True,
        )


def _state(app: App) -> str:
    return "enabled" if app.enabled else "disabled"


def _credential(app: App) -> str:
    try:
        used = summary(app, utcnow())
    except CredentialInvalid as error:
        return f"unusable: {error}"
    return used if app.unreadable is None else f"{used}; another credential is not used: {app.unreadable}"


COMMANDS = (
    add_apple_app,
    add_apple_key,
    add_firebase_app,
    list_apps,
    show_app,
    enable_app,
    disable_app,
    remove_app,
)
