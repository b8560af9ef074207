"""How operators write a host, and what `:authority` makes of it."""

import pytest

from pusher.errors import SettingsInvalid
from pusher.http2.origin import Origin


@pytest.mark.parametrize(
    ("text", "host", "port", "authority"),
    [
        ("api.push.apple.com", "api.push.apple.com", 443, "api.push.apple.com"),
        ("api.push.apple.com:443", "api.push.apple.com", 443, "api.push.apple.com"),
        ("api.push.apple.com:2197", "api.push.apple.com", 2197, "api.push.apple.com:2197"),
        ("127.0.0.1:8443", "127.0.0.1", 8443, "127.0.0.1:8443"),
        ("[::1]:8443", "::1", 8443, "[::1]:8443"),
        ("[2001:db8::1]", "2001:db8::1", 443, "[2001:db8::1]"),
    ],
)
def test_a_host_is_read_and_written(text: str, host: str, port: int, authority: str) -> None:
    origin = Origin.parse(text)
    assert (origin.host, origin.port, origin.authority) == (host, port, authority)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":443",
        "host:",
        "host:0",
        "host:65536",
        "host:443443",
        "host:https",
        "::1",
        "[::1",
        "[127.0.0.1]:443",
        "[host]:443",
        "https://host",
        "host/path",
        "user@host",
        "ho st",
        "host\r\n",
        "bücher.example",
        ".host",
        "a..b",
        "a" * 64,
        ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(SettingsInvalid):
        Origin.parse(text)
