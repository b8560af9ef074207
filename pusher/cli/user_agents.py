"""The `pusher maintenance` commands about User-Agent rules: which phones push, and where they keep their token."""

import click

from pusher.cli.change import change
from pusher.cli.table import table
from pusher.documents import pusher_document
from pusher.messages.registration import Registration
from pusher.redact import SECRET_KEYS, fingerprint
from pusher.registration.push_object import PushObject
from pusher.registration.reading import Reading, read
from pusher.registration.user_agents import UserAgentRule, first_match
from pusher.settings import Settings
from pusher.wiring import Edges


@click.command("add-user-agent")
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
    change(lambda document: pusher_document.set_user_agent(document, name, regex, properties))
    click.echo(f"Added {name}.")


@click.command("list-user-agents")
def list_user_agents() -> None:
    """List the rules in the order in which they are tried.

    \b
    Example:
      pusher maintenance list-user-agents
    """
    with Edges.of(Settings.from_environment()) as edges:
        rules = edges.system_config.user_agents()
    rows = [(rule.name, rule.pattern.pattern, " ".join("=".join(pair) for pair in rule.properties)) for rule in rules]
    table(("Name", "Regex", "Properties"), rows)


@click.command("remove-user-agent")
@click.argument("name")
def remove_user_agent(name: str) -> None:
    """Forget a rule; its phones are no longer learned.

    \b
    Example:
      pusher maintenance remove-user-agent Linphone
    """
    change(lambda document: pusher_document.remove_user_agent(document, name))
    click.echo(f"Removed {name}.")


@click.command("test-user-agent")
@click.argument("user_agent")
@click.argument("contact", required=False)
def test_user_agent(user_agent: str, contact: str | None) -> None:
    """Say which rule a User-Agent meets; with the CONTACT of its REGISTER, what is learned of the phone.

    Exit status 1 if no rule matches, or with a CONTACT if nothing is learned.

    \b
    Example:
      pusher maintenance test-user-agent 'Linphone/5.2'
      pusher maintenance test-user-agent 'Linphone/5.2' '<sip:u@192.0.2.7;pn-provider=fcm;pn-param=example;pn-prid=...>'
    """
    with Edges.of(Settings.from_environment()) as edges:
        config = edges.system_config
        if contact is None:
            _show_rule(first_match(config.user_agents(), user_agent))
        else:
            registration = Registration.from_message({"User-Agent": user_agent, "Contact": contact})
            _show_reading(read(registration, config.user_agents(), config.app))


def _show_rule(rule: UserAgentRule | None) -> None:
    if rule is None:
        raise click.ClickException(
            "no rule matches: phones with this User-Agent are learned only by the parameters of RFC 8599"
        )
    click.echo(f"{rule.name}: {' '.join('='.join(pair) for pair in rule.properties)}")


def _show_reading(reading: Reading) -> None:
    found_by = {"push token": reading.token, "registration token": reading.registration_token}
    tokens = [f"{name} {fingerprint(token)}" for name, token in found_by.items() if token is not None]
    click.echo(f"Answers the calls that wait for {' or '.join(tokens) or 'no token of this Contact'}.")
    if reading.push_object is None:
        raise click.ClickException(f"nothing is learned: {_why_nothing(reading)}")
    by = "RFC 8599" if reading.by_rfc8599 or reading.rule is None else f"rule {reading.rule.name}"
    click.echo(f"Learned by {by}, with Token-Proxy from the registration's Proxy-Path unless it stands here:")
    table(("Key", "Value"), _rows(reading.push_object))


def _rows(learned: PushObject) -> list[tuple[str, str]]:
    return sorted((key, fingerprint(value) if key in SECRET_KEYS else value) for key, value in learned.entries)


def _why_nothing(reading: Reading) -> str:
    if reading.problem is not None:
        return f"{reading.problem}; such a registration is kept in pusher.dead"
    if reading.refusal is not None:
        app = "" if reading.refusal.app_id is None else f" App: {reading.refusal.app_id}"
        return f"{reading.refusal.reason}: {reading.refusal.sentence}{app}"
    if reading.rule is None:
        return "no rule matches, and no binding that is made has pn-provider (RFC 8599)"
    parameter = dict(reading.rule.properties)["Token-ID"]
    return f"no binding that is made has {parameter} (rule {reading.rule.name}) or pn-provider (RFC 8599)"


COMMANDS = (add_user_agent, list_user_agents, remove_user_agent, test_user_agent)
