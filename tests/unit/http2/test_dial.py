"""How operators name a proxy."""

import pytest

from pusher.errors import SettingsInvalid
from pusher.http2.dial import Proxy


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example:3128", Proxy(host="proxy.example", port=3128, authorization=None)),
        ("http://proxy.example", Proxy(host="proxy.example", port=80, authorization=None)),
        ("http://[::1]:3128/", Proxy(host="::1", port=3128, authorization=None)),
        ("http://u:p%40ss@h:1", Proxy(host="h", port=1, authorization="Basic dTpwQHNz")),
        ("http://u@h:1", Proxy(host="h", port=1, authorization="Basic dTo=")),
        # A password of the environment that is not UTF-8.
        ("http://u:\udcff@h:1", Proxy(host="h", port=1, authorization="Basic dTr/")),
    ],
)
def test_a_proxy_url_is_read(url: str, proxy: Proxy) -> None:
    assert Proxy.parse(url) == proxy


@pytest.mark.parametrize(
    "url", ["", "proxy:3128", "https://u:secret@h:1", "http://", "http://u:secret@h:x", "http://u:secret@[::1"]
)
def test_what_is_no_proxy_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        Proxy.parse(url)
    assert caught.value.name == "PUSHER_PROXY_URL"
    assert "secret" not in str(caught.value)


def test_a_proxy_does_not_show_its_password() -> None:
    assert "dTpw" not in repr(Proxy.parse("http://u:p@h:1"))
