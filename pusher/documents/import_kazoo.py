"""Copies apps and User-Agent rules of another installation's pusher document into ours (facts: kazoo.md 5).

Nothing of ours is changed, and nothing is added that would change what our own apps and rules mean.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import StrEnum
from shlex import quote
from typing import Any

from pusher.documents import credentials
from pusher.documents.pusher_document import DEFAULT, USER_AGENTS, is_app_id
from pusher.documents.sealed import NO_KEYS, SecretKeys
from pusher.errors import SettingsInvalid
from pusher.push.app import ProviderName
from pusher.registration.user_agents import UserAgentRule

#: Hosts of Apple's binary protocol, which was shut down in 2021, and who took their place.
_GATEWAYS = {
    "gateway.push.apple.com": "api.push.apple.com",
    "gateway.sandbox.push.apple.com": "api.sandbox.push.apple.com",
}
#: What Kazoo 4 called `firebase`, from when Google's service was GCM; its value is a legacy server key.
_GCM = "google"
#: Escapes that PCRE, which Kazoo's rules are written for, reads otherwise than package regex does.
_OTHER_IN_PCRE = re.compile(r"(?:^|[^\\])(?:\\\\)*\\[vNgmM]")

Document = dict[str, Any]


class Verdict(StrEnum):
    """What becomes of a part of the source."""

    COPIED = "copied"
    #: All of it stands here with the same values, perhaps with more beside it.
    HERE = "here"
    #: Something else stands here, and stays.
    KEPT = "kept"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One provider's settings, one rule, or whatever else a section of the source holds."""

    #: Key of the document: an app id, a zone or `default`.
    section: str
    #: Key of the section, `apple` for example; None for the section as a whole.
    key: str | None = None
    #: Name of the rule; None for what is no single rule.
    rule: str | None = None
    verdict: Verdict
    #: Why it is so, or what is wrong with it; quotes no values.
    note: str | None = None
    #: The command that helps.
    remedy: str | None = None


def merge(ours: Document, theirs: Mapping[str, Any], zone: str | None, keys: SecretKeys = NO_KEYS) -> tuple[Part, ...]:
    """Add to `ours`, in place, what `theirs` has beyond it, and return what became of each part, in its order.

    `zone` is the one of our processes, where zones are used; `keys` encrypt the credentials that are added. Merging
    the same again copies nothing. CouchDB's and Kazoo's own keys, `_*` and `pvt_*`, are passed over.
    """
    merging = _Merging(ours=ours, before=deepcopy(ours), theirs=theirs, zone=zone, keys=keys)
    names = [name for name in theirs if name and not name.startswith(("_", "pvt_"))]
    parts = [part for name in names for part in merging.section(name)]
    return (*parts, *merging.inherited(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merging:
    ours: Document = field(repr=False)
    #: What `ours` was at first.
    before: Document = field(repr=False)
    theirs: Mapping[str, Any] = field(repr=False)
    zone: str | None
    keys: SecretKeys

    def section(self, name: str) -> Iterator[Part]:
        """Copy one section: an app, a zone or `default`."""
        if name != DEFAULT and not is_app_id(name):
            yield Part(
                section=name, verdict=Verdict.LEFT, note="settings of a node of Kazoo's, which do not count here"
            )
        elif not isinstance(self.theirs[name], dict):
            yield Part(section=name, verdict=Verdict.LEFT, note="is not an object")
        elif not isinstance(self.ours.get(name, {}), dict):
            yield Part(section=name, verdict=Verdict.LEFT, note="what stands here under this name is not an object")
        else:
            for key, value in self.theirs[name].items():
                if key == USER_AGENTS:
                    yield from self._rules(name, value)
                else:
                    yield self._setting(name, key, value)

    def inherited(self, parts: list[Part]) -> Iterator[Part]:
        """Yield our settings for all apps that the source does not have, and that now hold for copied apps."""
        copied = {part.key for part in parts if part.verdict is Verdict.COPIED}
        for name in (DEFAULT, *([] if self.zone is None else [self.zone])):
            for provider in ProviderName:
                ours, theirs = _object(self.before, name), _object(self.theirs, name)
                if provider in copied and provider in ours and provider not in theirs:
                    note = "the source has none; it holds for what the copied apps do not set themselves"
                    yield Part(section=name, key=provider, verdict=Verdict.KEPT, note=note)

    def _setting(self, name: str, key: str, value: object) -> Part:
        known = key in list(ProviderName)
        if known and not isinstance(value, dict):
            return Part(section=name, key=key, verdict=Verdict.LEFT, note="is not an object")
        renewed, moved = _renewed(value) if key == ProviderName.APPLE else (value, None)
        part = Part(section=name, key=key, verdict=Verdict.COPIED, note=moved) if known else _unused(name, key)
        present = _object(self.ours, name)
        if key in present:
            return _present(part, self._in_form(key, present[key], plain=True), self._in_form(key, renewed, plain=True))
        touched = self._touched(name, key) if known else []
        if touched:
            note = f"it would also hold for {', '.join(touched)}, already here: set what the copied apps need in each"
            return Part(section=name, key=key, verdict=Verdict.LEFT, note=note)
        self.ours.setdefault(name, {})[key] = self._in_form(key, renewed, plain=False)
        return part

    def _in_form(self, key: str, value: object, *, plain: bool) -> object:
        """Return a copy of setting `key` with its credentials plain, to be compared, or encrypted, to be saved."""
        value = deepcopy(value)
        if key in list(ProviderName) and isinstance(value, dict):
            found = credentials.in_settings(value, ProviderName(key), key, self.keys)
            _ = credentials.decrypt(found) if plain else credentials.encrypt(found, self.keys)
        return value

    def _rules(self, name: str, rules: object) -> Iterator[Part]:
        if not isinstance(rules, dict):
            yield Part(section=name, key=USER_AGENTS, verdict=Verdict.LEFT, note="is not an object")
            return
        here = _object(self.ours, name).get(USER_AGENTS, {})
        if not isinstance(here, dict):
            note = "what stands here under this name is not an object"
            yield Part(section=name, key=USER_AGENTS, verdict=Verdict.LEFT, note=note)
            return
        hidden = () if here else self._hidden(name)
        if hidden:
            note = f"in this zone it would take the place of {', '.join(hidden)}, already here"
            yield Part(section=name, key=USER_AGENTS, verdict=Verdict.LEFT, note=note)
            return
        for rule, entry in rules.items():
            yield self._rule(name, rule, entry)

    def _rule(self, name: str, rule: str, entry: object) -> Part:
        if not isinstance(entry, dict):
            return Part(section=name, key=USER_AGENTS, rule=rule, verdict=Verdict.LEFT, note="is not an object")
        part = _examined(name, rule, entry)
        rules = _object(_object(self.ours, name), USER_AGENTS)
        if rule in rules:
            return _present(part, rules[rule], entry)
        self.ours.setdefault(name, {}).setdefault(USER_AGENTS, {})[rule] = deepcopy(entry)
        return part

    def _touched(self, name: str, provider: str) -> list[str]:
        """Return our own apps that settings of `provider` in a shared section would reach: a wrong topic or
        `enabled` there would stop apps that work.
        """
        if name not in (DEFAULT, self.zone) and USER_AGENTS not in self.theirs[name]:
            return []
        apps = [app for app in self.before if is_app_id(app) and app not in (name, self.zone)]
        return [app for app in apps if provider in _object(self.before, app)]

    def _hidden(self, name: str) -> list[str]:
        """Return our own rules under `default`, which rules of zone `name` would hide from its processes."""
        return [] if name == DEFAULT else list(_object(_object(self.before, DEFAULT), USER_AGENTS))


def _present(part: Part, here: object, there: object) -> Part:
    """Return what becomes of `part`, which stands here as `here` and in the source as `there`."""
    if _covers(here, there):
        return replace(part, verdict=Verdict.HERE)
    note = "differs from the source"
    if part.section == DEFAULT and part.rule is None:
        note += "; it holds for what the copied apps do not set themselves"
    return replace(part, verdict=Verdict.KEPT, note=note, remedy=None)


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object `name` of `parent`, an empty one where there is none."""
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _covers(here: object, there: object) -> bool:
    """Tell whether `here` has all that `there` has: a credential that was added since is no difference."""
    if isinstance(here, dict) and isinstance(there, dict):
        return all(key in here and here[key] == value for key, value in there.items())
    return here == there


def _renewed(section: object) -> tuple[object, str | None]:
    """Return settings for APNs with a host that exists, and what was done about it."""
    host = section.get("host") if isinstance(section, dict) else None
    successor = _GATEWAYS.get(host.lower().partition(":")[0]) if isinstance(host, str) else None
    if successor is None or not isinstance(section, dict):
        return section, None
    return {**section, "host": successor}, f"the host was one that Apple shut down: {successor} took its place"


def _unused(name: str, key: str) -> Part:
    part = Part(section=name, key=key, verdict=Verdict.COPIED, note="not known to Pusher, and not used")
    if key != _GCM:
        return part
    remedy = f"pusher maintenance add-firebase-app {quote(name)} service-account.json"
    return replace(
        part, note="a legacy server key, which Google shut down: add a service account instead", remedy=remedy
    )


def _examined(name: str, rule: str, entry: Mapping[str, Any]) -> Part:
    """Return a rule with what keeps it from working, or may have it work otherwise than in Kazoo."""
    part = Part(section=name, key=USER_AGENTS, rule=rule, verdict=Verdict.COPIED)
    try:
        UserAgentRule.of(rule, entry.get("regex"), entry.get("properties"))
    except SettingsInvalid as problem:
        note = f"{problem.name.rpartition('.')[2]} {problem.problem}; the rule is skipped"
        remedy = f"pusher maintenance add-user-agent {quote(rule)} REGEX PROPERTY=PARAM..."
        return replace(part, note=note, remedy=remedy if name == DEFAULT else None)
    if _OTHER_IN_PCRE.search(entry["regex"]):
        note = "the regex has an escape that Kazoo reads otherwise: try it"
        return replace(part, note=note, remedy="pusher maintenance test-user-agent USER_AGENT")
    return part
