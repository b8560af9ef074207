"""Says what became of each part of an imported document, whether it will work, and what to do where it will not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Any

import click

from pusher.cli.credentials import RENEW_DAYS, summary
from pusher.cli.table import printable, table
from pusher.documents.import_kazoo import Part, Verdict
from pusher.documents.pusher_document import DEFAULT, USER_AGENTS
from pusher.documents.sealed import SecretKeys
from pusher.documents.typed_settings import TypedSettings
from pusher.errors import CredentialInvalid
from pusher.providers.apple.credentials import check_certificate
from pusher.push.app import App, AppleApp, FirebaseApp, ProviderName

_IN_USE = (Verdict.COPIED, Verdict.HERE)
_DONE = {Verdict.COPIED: "Copied", Verdict.HERE: "Already here", Verdict.KEPT: "Kept", Verdict.LEFT: "Not copied"}
_PLANNED = _DONE | {Verdict.COPIED: "Would be copied", Verdict.KEPT: "Would be kept", Verdict.LEFT: "Would be left"}
_OURS_STAYS = """\
What is kept stands here with other values. To have the source's instead, remove it and import again:
  pusher maintenance remove-app APP_ID          for APNs and FCM
  pusher maintenance remove-user-agent NAME
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """Something that somebody should look at."""

    #: What it is about, as it is printed elsewhere.
    subject: str
    problem: str
    #: The command that helps.
    remedy: str | None = None


def report(
    document: Mapping[str, Any],
    parts: Sequence[Part],
    now: datetime,
    *,
    zone: str | None,
    keys: SecretKeys,
    dry_run: bool,
) -> None:
    """Say what became of `parts`; `document` is ours with all that was copied, `zone` and `keys` our processes'."""
    settings = _settings(document, parts, zone, keys)
    titles = _PLANNED if dry_run else _DONE
    for verdict, title in titles.items():
        found = [part for part in parts if part.verdict is verdict]
        if verdict in _IN_USE:
            facts = [(_path(part), _facts(part, document, settings.apps, now)) for part in found]
            _show((title, "What it is"), facts)
        else:
            _show((title, "Why"), [(_path(part), part.note) for part in found])
    troubles = [trouble for part in parts if part.verdict in _IN_USE for trouble in _troubles(part, settings.apps, now)]
    _tell([*troubles, *(_Trouble(subject=each.name, problem=f"{each.problem}; not used") for each in settings.skipped)])
    if any(part.verdict is Verdict.KEPT for part in parts):
        click.echo(_OURS_STAYS)
    counts = (f"{title.lower()} {sum(part.verdict is verdict for part in parts)}" for verdict, title in titles.items())
    click.echo(f"{'Dry run, nothing was saved' if dry_run else 'Done'}: {', '.join(counts)}.")


def _show(headings: tuple[str, str], rows: Sequence[tuple[object, object]]) -> None:
    if rows:
        table(headings, rows)
        click.echo()


def _tell(troubles: Sequence[_Trouble]) -> None:
    if not troubles:
        return
    click.echo("Needs attention")
    for trouble in troubles:
        click.echo(printable(f"{trouble.subject}: {trouble.problem}"))
        if trouble.remedy is not None:
            click.echo(f"  {printable(trouble.remedy)}")
    click.echo()


def _path(part: Part) -> str:
    return " ".join(each for each in (part.section, part.key, part.rule) if each is not None)


def _settings(document: Mapping[str, Any], parts: Sequence[Part], zone: str | None, keys: SecretKeys) -> TypedSettings:
    """Return what `document` says about the apps of `parts`, shared settings included."""
    names = [DEFAULT, zone, *(part.section for part in parts if part.verdict in _IN_USE)]
    sections = {name: document[name] for name in names if name and isinstance(document.get(name), dict)}
    # Rules are examined one by one, with the command that helps.
    without_rules = {
        name: {key: value for key, value in section.items() if key != USER_AGENTS} for name, section in sections.items()
    }
    return TypedSettings.of(without_rules, zone, keys)


def _app(part: Part, apps: Mapping[tuple[str, ProviderName], App]) -> App | None:
    """Return the app whose settings `part` is, None where it is something else."""
    provider = next((each for each in ProviderName if each == part.key), None)
    return None if provider is None else apps.get((part.section, provider))


def _facts(part: Part, document: Mapping[str, Any], apps: Mapping[tuple[str, ProviderName], App], now: datetime) -> str:
    """Return what `part` is, in a line and without secrets."""
    app = _app(part, apps)
    if app is not None:
        try:
            credential = summary(app, now).removeprefix(f"{part.key}, ")
        except CredentialInvalid:
            credential = "unusable, see below" if app.has_credential else "no credential"
        return credential if app.enabled else f"disabled; {credential}"
    if part.rule is None:
        return "for all apps of the zone" if part.key in list(ProviderName) else "not used"
    rule = document[part.section][USER_AGENTS][part.rule]
    properties = rule.get("properties")
    pairs = properties.items() if isinstance(properties, dict) else ()
    return " ".join((str(rule.get("regex")), *(f"{key}={value}" for key, value in pairs)))


def _troubles(part: Part, apps: Mapping[tuple[str, ProviderName], App], now: datetime) -> Iterator[_Trouble]:
    if part.note is not None:
        yield _Trouble(subject=_path(part), problem=part.note, remedy=part.remedy)
    app = _app(part, apps)
    # Without a credential, these are settings for all apps, or of a zone, which nothing tells from an app.
    if app is None or not app.has_credential:
        return
    try:
        summary(app, now)
    except CredentialInvalid as error:
        yield _Trouble(subject=_path(part), problem=str(error), remedy=_remedy(app))
    else:
        yield from _ends_soon(part, app, now)


def _ends_soon(part: Part, app: App, now: datetime) -> Iterator[_Trouble]:
    if isinstance(app, AppleApp) and app.token_key is None and app.certificate is not None:
        facts = check_certificate(app.certificate, now)
        if facts.days_left < RENEW_DAYS:
            problem = f"the certificate ends on {facts.not_after:%Y-%m-%d}: renew it at developer.apple.com"
            yield _Trouble(subject=_path(part), problem=problem, remedy=_remedy(app))


def _remedy(app: App) -> str:
    if isinstance(app, FirebaseApp):
        return f"pusher maintenance add-firebase-app {quote(app.app_id)} service-account.json"
    return f"pusher maintenance add-apple-app {quote(app.app_id)} push.pem"
