"""Which phones push: the rules of the setting `User-Agents` (facts: sip.md 1).

A pattern is an operator's, the User-Agent a stranger's: its length and the time of a search are bounded.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

import regex

from pusher.errors import SettingsInvalid

#: Characters of a User-Agent that are looked at; real ones have at most 200.
MAX_USER_AGENT = 512
#: Seconds of its own time that a thread spends on one User-Agent, whatever the rules; an ordinary search takes a few
#: millionths.
SEARCH_LIMIT_S = 0.02
#: What a search gets at least, as long as anything is left.
SHORTEST_SEARCH_S = 0.0005

_MAX_PATTERN = 4096
_MAX_NAME = 255

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAgentRule:
    """One entry of `User-Agents`."""

    #: The entry's key, such as `Linphone`.
    name: str
    #: Compiled `regex` of the entry.
    pattern: "regex.Pattern[str]"
    #: Push keys and the Contact parameters that hold their values, such as `("Token-ID", "pn-tok")`.
    properties: tuple[tuple[str, str], ...]
    #: Set by the first search that was given up: a reading of the settings warns once, not every REGISTER.
    warned: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    @classmethod
    def of(cls, name: str, pattern: object, properties: object) -> Self:
        """Return the rule that an entry of the setting means.

        `properties` must map Token-ID. Raises `SettingsInvalid` with the path of what is wrong.
        """
        path = f"User-Agents.{name}"
        return cls(
            name=name,
            pattern=_compiled(pattern, f"{path}.regex"),
            properties=_checked(properties, f"{path}.properties"),
        )

    def matches(self, user_agent: str, limit_s: float = SEARCH_LIMIT_S) -> bool:
        """Tell whether the pattern is found in `user_agent`; one that lasts longer than `limit_s` found nothing."""
        try:
            found = self.pattern.search(user_agent[:MAX_USER_AGENT], timeout=limit_s)
        except TimeoutError:
            if not self.warned.is_set():
                self.warned.set()
                log.warning("User-Agents.%s: the regex takes too long, phones may not be recognised", self.name)
            return False
        return found is not None


def first_match(rules: Iterable[UserAgentRule], user_agent: str) -> UserAgentRule | None:
    """Return the first of `rules` that matches, None where none does.

    A search may take half of what is left of `SEARCH_LIMIT_S`: a slow rule leaves time for those behind it, and with
    any number of slow ones a registration takes no longer. Nothing of it is remembered for the next phone.
    """
    left_s, counted_s = SEARCH_LIMIT_S, time.thread_time()
    for rule in rules:
        began = time.monotonic()
        if rule.matches(user_agent, max(left_s / 2, SHORTEST_SEARCH_S)):
            return rule
        if time.monotonic() - began > SHORTEST_SEARCH_S / 10:
            # Only now is the thread's own time worth asking for: what others took of the clock must hide no phone.
            now_s = time.thread_time()
            left_s, counted_s = left_s - (now_s - counted_s), now_s
            if left_s <= 0:
                return None
    return None


def _compiled(pattern: object, path: str) -> "regex.Pattern[str]":
    """Return the compiled `pattern`. Raises `SettingsInvalid` about `path`."""
    if not isinstance(pattern, str) or not pattern:
        raise SettingsInvalid(path, "is not a text")
    if len(pattern) > _MAX_PATTERN:
        raise SettingsInvalid(path, f"is longer than {_MAX_PATTERN} characters")
    try:
        return regex.compile(pattern)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise SettingsInvalid(path, f"is not a regular expression: {error}") from error


def _checked(properties: object, path: str) -> tuple[tuple[str, str], ...]:
    """Return `properties` as pairs, in order. Raises `SettingsInvalid` about `path`."""
    if not isinstance(properties, Mapping):
        raise SettingsInvalid(path, "is not an object")
    for key, parameter in properties.items():
        for word in (key, parameter):
            if not isinstance(word, str) or not 0 < len(word) <= _MAX_NAME or not word.isprintable():
                raise SettingsInvalid(path, "does not map names to names of Contact parameters")
    if "Token-ID" not in properties:
        raise SettingsInvalid(path, "has no Token-ID")
    return tuple(properties.items())
