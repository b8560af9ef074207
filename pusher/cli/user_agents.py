"""The `pusher maintenance` commands about User-Agent rules: which phones push, and where they keep their token."""

import click

from pusher.cli.change import change
from pusher.cli.table import table
from pusher.documents import pusher_document
from pusher.registration.user_agents import first_match
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
def test_user_agent(user_agent: str) -> None:
    """Say which rule a User-Agent meets; exit status 1 if none.

    \b
    Example:
      pusher maintenance test-user-agent 'Linphone/5.2'
    """
    with Edges.of(Settings.from_environment()) as edges:
        rule = first_match(edges.system_config.user_agents(), user_agent)
    if rule is None:
        raise click.ClickException("no rule matches: phones with this User-Agent are not learned")
    click.echo(f"{rule.name}: {' '.join('='.join(pair) for pair in rule.properties)}")


COMMANDS = (add_user_agent, list_user_agents, remove_user_agent, test_user_agent)
