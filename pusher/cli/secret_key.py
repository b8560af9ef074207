"""The `pusher maintenance` commands about PUSHER_SECRET_KEY, which encrypts credentials at rest (decision 0020)."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import click

from pusher.cli.change import change
from pusher.cli.table import printable
from pusher.documents import credentials, sealed
from pusher.documents.credentials import Form, Found
from pusher.documents.sealed import SecretKeys
from pusher.errors import SettingsInvalid
from pusher.settings import Settings


@click.command("make-secret-key")
def make_secret_key() -> None:
    """Print a new key for PUSHER_SECRET_KEY, and on standard error the name by which it is called elsewhere.

    \b
    Example:
      pusher maintenance make-secret-key
    """
    key = sealed.make_key()
    click.echo(key)
    click.echo(f"This is key #{sealed.name_of(key)}. What it encrypts is lost without it.", err=True)


@click.command("encrypt-credentials")
def encrypt_credentials() -> None:
    """Encrypt all credentials with the first key of PUSHER_SECRET_KEY, those of older keys as well.

    \b
    Example:
      pusher maintenance encrypt-credentials
    """
    keys = SecretKeys(Settings.from_environment().secret_keys)
    if not keys.names:
        raise SettingsInvalid("PUSHER_SECRET_KEY", "is not set: see pusher maintenance make-secret-key")
    found = _change(keys, lambda found: credentials.encrypt(found, keys))
    forms = Counter(each.form for each in found)
    click.echo(
        f"Key #{keys.names[0]}: {forms[Form.PLAIN]} encrypted, {forms[Form.OLDER_KEY]} encrypted anew, "
        f"{forms[Form.ENCRYPTED]} already encrypted with it."
    )
    _tell_unreadable(found)


@click.command("decrypt-credentials")
def decrypt_credentials() -> None:
    """Save all credentials plain again, as Kazoo's Erlang application needs them.

    \b
    Example:
      pusher maintenance decrypt-credentials
    """
    found = _change(SecretKeys(Settings.from_environment().secret_keys), credentials.decrypt)
    forms = Counter(each.form for each in found)
    click.echo(f"{forms[Form.ENCRYPTED] + forms[Form.OLDER_KEY]} decrypted, {forms[Form.PLAIN]} already plain.")
    _tell_unreadable(found)


def _change(keys: SecretKeys, work: Callable[[Sequence[Found]], bool]) -> Sequence[Found]:
    """Have `work` change all credentials, save where it says so, and return them as they were before."""
    rounds: list[Sequence[Found]] = []

    def apply(document: dict[str, Any]) -> bool:
        # Applied again after every conflict: the last time counts.
        rounds.append(tuple(credentials.in_document(document, keys)))
        return work(rounds[-1])

    change(apply)
    return rounds[-1]


def _tell_unreadable(found: Sequence[Found]) -> None:
    """Name what had to be left as it is. Raises `click.ClickException` where there is such."""
    unreadable = [each for each in found if each.form is Form.UNREADABLE]
    for each in unreadable:
        click.echo(f"{printable(each.path)}: {each.problem}", err=True)
    if unreadable:
        raise click.ClickException(f"{len(unreadable)} of {len(found)} credentials cannot be decrypted and stay as is")


COMMANDS = (make_secret_key, encrypt_credentials, decrypt_credentials)
