"""`pusher maintenance`: apps and User-Agents in the pusher document; every change is announced on the bus."""

from collections.abc import Callable
from typing import Any

import click

from pusher.cli.credentials import describe, read_certificate, read_key, read_service_account, summary
from pusher.cli.table import printable, table
from pusher.clock import utcnow
from pusher.documents import pusher_document
from pusher.errors import BusUnavailable, CredentialInvalid, SettingsInvalid
from pusher.http2.origin import Origin
from pusher.messages.document_change import DocumentChange
from pusher.push.app import App
from pusher.registration.user_agents import first_match
from pusher.settings import Settings
from pusher.wiring import Edges


@click.group()
def maintenance() -> None:
    """Apps, their credentials, and the phones that push."""


@maintenance.command("add-apple-app")
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
    _change(lambda document: pusher_document.set_apple_certificate(document, app_id, pem, host))
    click.echo(f"Added {app_id} with this certificate:\n{describe(facts)}")
    _hint_at_sandbox(app_id, host)


@maintenance.command("add-apple-key")
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
    _change(lambda document: pusher_document.set_apple_key(document, app_id, key, host))
    click.echo(f"Added {app_id} with key {key_id} of team {team_id}.")
    _hint_at_sandbox(app_id, host)


@maintenance.command("add-firebase-app")
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
    _change(lambda document: pusher_document.set_service_account(document, app_id, account, host))
    click.echo(f"Added {app_id} with service account {account['client_email']} of {account['project_id']}.")


@maintenance.command("list-apps")
def list_apps() -> None:
    """List the apps and what they reach their provider with.

    \b
    Example:
      pusher maintenance list-apps
    """
    table(("App", "State", "Credential"), [(app.app_id, _state(app), _credential(app)) for app in _apps()])


@maintenance.command("show-app")
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


@maintenance.command("enable-app")
@click.argument("app_id")
def enable_app(app_id: str) -> None:
    """Let pushes to an app go out again.

    \b
    Example:
      pusher maintenance enable-app org.example.app
    """
    _change(lambda document: pusher_document.set_enabled(document, app_id, True))
    click.echo(f"Enabled {app_id}.")


@maintenance.command("disable-app")
@click.argument("app_id")
def disable_app(app_id: str) -> None:
    """Refuse all pushes to an app, until it is enabled again; its calls fail over at once.

    \b
    Example:
      pusher maintenance disable-app org.example.app
    """
    _change(lambda document: pusher_document.set_enabled(document, app_id, False))
    click.echo(f"Disabled {app_id}.")


@maintenance.command("remove-app")
@click.argument("app_id")
def remove_app(app_id: str) -> None:
    """Forget an app and its credentials.

    \b
    Example:
      pusher maintenance remove-app org.example.app
    """
    _change(lambda document: pusher_document.remove_app(document, app_id))
    click.echo(f"Removed {app_id}.")


@maintenance.command("add-user-agent")
@click.argument("name")
@click.argument("regex")
@click.argument("mapping", nargs=-1, required=True, metavar="PROPERTY=PARAM...")
def add_user_agent(name: str, regex: str, mapping: tuple[str, ...]) -> None:
    """Say which phones push, and which Contact parameters hold what.

    The first rule whose REGEX is found in the User-Agent counts.

    \b
    Example:
      pusher maintenance add-user-agent Linphone '^Linphone' Token-App=app-id Token-Type=pn-type Token-ID=pn-tok
    """
    properties = {}
    for pair in mapping:
        key, equals, parameter = pair.partition("=")
        if not (key and equals and parameter):
            raise click.UsageError(f"{pair} is not of the form PROPERTY=PARAM")
        properties[key] = parameter
    _change(lambda document: pusher_document.set_user_agent(document, name, regex, properties))
    click.echo(f"Added {name}.")


@maintenance.command("list-user-agents")
def list_user_agents() -> None:
    """List the rules in the order in which they are tried.

    \b
    Example:
      pusher maintenance list-user-agents
    """
    with _edges() as edges:
        rules = edges.system_config.user_agents()
    rows = [(rule.name, rule.pattern.pattern, " ".join("=".join(pair) for pair in rule.properties)) for rule in rules]
    table(("Name", "Regex", "Properties"), rows)


@maintenance.command("remove-user-agent")
@click.argument("name")
def remove_user_agent(name: str) -> None:
    """Forget a rule; its phones are no longer learned.

    \b
    Example:
      pusher maintenance remove-user-agent Linphone
    """
    _change(lambda document: pusher_document.remove_user_agent(document, name))
    click.echo(f"Removed {name}.")


@maintenance.command("test-user-agent")
@click.argument("user_agent")
def test_user_agent(user_agent: str) -> None:
    """Say which rule a User-Agent meets; exit status 1 if none.

    \b
    Example:
      pusher maintenance test-user-agent 'Linphone/5.2'
    """
    with _edges() as edges:
        rule = first_match(edges.system_config.user_agents(), user_agent)
    if rule is None:
        raise click.ClickException("no rule matches: phones with this User-Agent are not learned")
    click.echo(f"{rule.name}: {' '.join('='.join(pair) for pair in rule.properties)}")


def _edges() -> Edges:
    return Edges.of(Settings.from_environment())


def _apps() -> tuple[App, ...]:
    with _edges() as edges:
        return edges.system_config.apps()


def _change(change: Callable[[dict[str, Any]], None]) -> None:
    """Save `change` and announce it; processes that miss the announcement find out within a minute."""
    with _edges() as edges:
        saved = pusher_document.edit(edges.documents, change)
        announcement = DocumentChange(
            created=saved.created,
            database=pusher_document.DATABASE,
            doc_id=pusher_document.DOC_ID,
            rev=saved.rev,
        )
        try:
            edges.publisher.document_changed(announcement)
        except BusUnavailable:
            click.echo("The bus is away: running processes notice the change within a minute.", err=True)


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
        return summary(app, utcnow())
    except CredentialInvalid as error:
        return f"unusable: {error}"
