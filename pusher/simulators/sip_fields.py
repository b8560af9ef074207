"""What stands in the headers of SIP messages: hops, addresses, parameters, quoted strings (RFC 3261 20, 25.1)."""

import re
from dataclasses import dataclass

from pusher.errors import MessageInvalid

Params = tuple[tuple[str, str | None], ...]

_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*UDP\s+(?P<host>\[[0-9a-f:.]+\]|[^\s;,:]+)(:(?P<port>[0-9]{1,5}))?\s*(?P<params>;.*)?",
    re.IGNORECASE,
)
_NAME_ADDR = re.compile(r"([^<]*)<([^<>]+)>\s*(;.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """One hop."""

    #: Where the hop wants its responses.
    host: str
    port: int
    params: Params

    @property
    def branch(self) -> str:
        """The transaction's identifier."""
        return param(self.params, "branch") or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A From or To."""

    #: Display name without quotes and escapes, empty where there is none.
    display: str
    uri: str
    params: Params

    @property
    def tag(self) -> str | None:
        """This side's part of the dialog identifier."""
        return param(self.params, "tag")


def parse_via(value: str) -> Via:
    """Return one Via. Raises `MessageInvalid`."""
    match = _VIA.fullmatch(value)
    port = int(match["port"] or 5060) if match else 0
    if not match or not 0 < port < 65536:
        raise MessageInvalid("Via", "is not SIP/2.0/UDP, a host and a port")
    return Via(host=match["host"], port=port, params=parse_params(match["params"] or ""))


def parse_address(name: str, value: str) -> Address:
    """Return the address in header `name`. Raises `MessageInvalid`."""
    addr_spec, *_ = split_outside_quotes(value, ";")
    display, rest = _display(name, value)
    angled = _NAME_ADDR.fullmatch(rest)
    if angled:
        display = display if display is not None else angled[1].strip()
        return Address(display=display, uri=angled[2], params=parse_params(angled[3] or ""))
    if display is not None or any(mark in addr_spec for mark in '<>"') or ":" not in addr_spec:
        raise MessageInvalid(name, "is not an address")
    # Without angle brackets the parameters are the header's (RFC 3261 20.10).
    return Address(display="", uri=addr_spec.strip(), params=parse_params(value[len(addr_spec) :]))


def parse_params(text: str) -> Params:
    """Return `;name=value;name` in order: names in lower case, values unquoted, None for a bare name."""
    found = []
    for part in split_outside_quotes(text, ";"):
        name, equals, value = part.partition("=")
        if name.strip():
            found.append((name.strip().lower(), unquote(value.strip()) if equals else None))
    return tuple(found)


def param(params: Params, name: str) -> str | None:
    """Return the value of `name`; None for one that is absent or bare."""
    return next((value for key, value in params if key == name), None)


def quote(text: str) -> str:
    """Return `text` as a quoted string."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def unquote(text: str) -> str:
    """Return a quoted string's content, any other text unchanged."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Return `text` taken apart at `separator`, but not within quoted strings or angle brackets."""
    parts, start, quoted, escaped, angled = [], 0, False, False, False
    for at, char in enumerate(text):
        if quoted:
            quoted = escaped or char != '"'
            escaped = not escaped and char == "\\"
        elif char == '"':
            quoted = True
        elif char in "<>":
            angled = char == "<"
        elif char == separator and not angled:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _display(name: str, value: str) -> tuple[str | None, str]:
    """Return the quoted display name, None where there is none, and what follows it. Raises `MessageInvalid`."""
    if not value.startswith('"'):
        return None, value
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"\s*(?=<)', value, re.DOTALL)
    if not quoted:
        raise MessageInvalid(name, "has a display name without its second quote")
    return unquote(f'"{quoted[1]}"'), value[quoted.end() :]
