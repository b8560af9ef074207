"""The Contact header of a REGISTER, as it reaches the bus (RFC 3261 20.10; facts: sip.md 3).

Every pattern here is possessive, so that a hostile header costs time in proportion to its length. They run on the regex
package: the standard library's engine of Python 3.11.2, which is Debian 12's, lets possessive patterns match too much.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import regex

from pusher.errors import MessageInvalid

#: Characters of the whole header.
MAX_CONTACT = 16_384

_QUOTED = r'"(?:[^"\\]++|\\.)*+"'
_INSIDE = rf'(?:[^<>"]++|{_QUOTED})*+'
_ANGLED = f"<{_INSIDE}>"
_BALANCED = regex.compile(rf'(?:[^"<]++|{_QUOTED}|{_ANGLED})*+', regex.DOTALL)
_BETWEEN_COMMAS = regex.compile(rf'(?:[^",<]++|{_QUOTED}|{_ANGLED})++', regex.DOTALL)
_BETWEEN_SEMICOLONS = regex.compile(rf'(?:[^";<]++|{_QUOTED}|{_ANGLED})++', regex.DOTALL)
_NAME_ADDR = regex.compile(rf'(?:[^"<]++|{_QUOTED})*+<(?P<uri>{_INSIDE})>\s*+', regex.DOTALL)
_SCHEME = regex.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:")
_ESCAPED = regex.compile(r"\\(.)", regex.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactBinding:
    """One contact. Names of parameters are in lower case, values unquoted and percent-decoded, untrusted."""

    #: Without parameters and headers, such as `sip:2001@192.0.2.7:5060`.
    uri: str
    #: Parameters of the URI, in order.
    uri_params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    #: Parameters of the header, in order.
    header_params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    #: Both by name: of a name that comes more than once the first value, and the URI's before the header's.
    _params: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_params", dict(reversed(self.uri_params + self.header_params)))

    def param(self, name: str) -> str | None:
        """Return the value of `name`, the URI's before the header's; empty for a bare name."""
        return self._params.get(name.lower())


def parse(contact: str) -> tuple[ContactBinding, ...]:
    """Return the contacts of a header; none for `*`, which removes all bindings. Raises `MessageInvalid`."""
    if len(contact) > MAX_CONTACT:
        raise MessageInvalid("Contact", f"is longer than {MAX_CONTACT} characters")
    if contact.strip() == "*":
        return ()
    if not _BALANCED.fullmatch(contact):
        raise MessageInvalid("Contact", "has a quote or angle bracket without its partner")
    contacts = [one for one in _BETWEEN_COMMAS.findall(contact) if one.strip()]
    if not contacts:
        raise MessageInvalid("Contact", "is empty")
    return tuple(_binding(one) for one in contacts)


def _binding(contact: str) -> ContactBinding:
    """Return one contact of a header. Raises `MessageInvalid`."""
    address, *header_params = _BETWEEN_SEMICOLONS.findall(contact) or [""]
    name_addr = _NAME_ADDR.fullmatch(address)
    uri = name_addr["uri"].strip() if name_addr else address.strip()
    if not name_addr and any(mark in uri for mark in '<>"'):
        raise MessageInvalid("Contact", "has something behind its address")
    scheme = _SCHEME.match(uri)
    if not scheme:
        raise MessageInvalid("Contact", "has an address without a scheme")
    # A user may hold semicolons and question marks, so the parameters begin behind it.
    head_end = uri.find("@", scheme.end()) + 1 or scheme.end()
    host, _, uri_params = uri[head_end:].partition("?")[0].partition(";")
    if not host.strip():
        raise MessageInvalid("Contact", "has an address without a host")
    return ContactBinding(
        uri=uri[:head_end] + host,
        uri_params=_params(_BETWEEN_SEMICOLONS.findall(uri_params)),
        header_params=_params(header_params),
    )


def _params(parts: list[str]) -> tuple[tuple[str, str], ...]:
    """Return names and values; what stands between two semicolons may be nothing."""
    pairs = [part.partition("=") for part in parts]
    return tuple([(name.strip().lower(), _value(value.strip())) for name, _, value in pairs if name.strip()])


def _value(written: str) -> str:
    """Return a value as it is meant; malformed percent signs stay, bytes that are not UTF-8 become U+FFFD."""
    if written.startswith('"'):
        written = _ESCAPED.sub(r"\1", written[1:].removesuffix('"'))
    return unquote(written)
