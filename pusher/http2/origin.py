"""Where a provider is reached: host and port, as an operator writes them and as `:authority` carries them."""

import ipaddress
import re
from dataclasses import dataclass

from pusher.errors import SettingsInvalid

_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
_HOST_AND_PORT = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A host that speaks TLS."""

    #: A DNS name, an IPv4 or an IPv6 address (without brackets).
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return `host:port` with IPv6 in brackets; port 443 goes without saying (RFC 9113 8.3.1)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Origin":
        """Read `host`, `host:port` or `[ipv6]:port`, port 443 unless given. Raises `SettingsInvalid`."""
        match = _HOST_AND_PORT.fullmatch(text)
        if match is None or not _is_host(match["name"], match["ipv6"]):
            raise SettingsInvalid("host", "expected host, host:port or [IPv6]:port")
        port = 443 if match["port"] is None else int(match["port"])
        if not 0 < port < 65536:
            raise SettingsInvalid("host", "the port must be between 1 and 65535")
        return cls(host=match["ipv6"] or match["name"], port=port)


def _is_host(name: str | None, ipv6: str | None) -> bool:
    if name is not None:
        return _NAME.fullmatch(name) is not None
    try:
        return ipaddress.ip_address(ipv6 or "").version == 6
    except ValueError:
        return False
