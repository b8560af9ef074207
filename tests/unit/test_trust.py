"""Whom we trust: the system and one file, whatever requests and the environment would rather have."""

import socket
import ssl
from pathlib import Path

import pytest
import requests
from urllib3 import HTTPSConnectionPool

from pusher import trust
from pusher.errors import SettingsInvalid
from tests.support.h2_peer import Certificates


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(Certificates(tmp_path_factory.mktemp("trust"), "localhost").ca_file)


def trusted(context: ssl.SSLContext) -> set[bytes]:
    return set(context.get_ca_certs(binary_form=True))


def test_certificate_and_name_are_checked_and_old_tls_is_not_spoken() -> None:
    context = trust.client_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_the_file_is_trusted_on_top_of_the_system(ca_file: str) -> None:
    system = trusted(trust.client_context(None))
    assert trusted(trust.client_context(ca_file)) - system == {ssl.PEM_cert_to_DER_cert(Path(ca_file).read_text())}
    assert trusted(trust.client_context(ca_file)) >= system


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsInvalid, match=r"PUSHER_CA_FILE: .*ca\.pem: \w+"):
        trust.client_context(str(path))


def pool_of(session: requests.Session, verify: bool | str) -> HTTPSConnectionPool:
    """Return the urllib3 pool as requests has prepared it when it sends."""
    adapter = session.get_adapter("https://host/")
    request = session.prepare_request(requests.Request("GET", "https://host/"))
    pool = adapter.get_connection_with_tls_context(request, verify, session.proxies)  # type: ignore[attr-defined]
    adapter.cert_verify(pool, "https://host/", verify, None)  # type: ignore[attr-defined]
    return pool  # type: ignore[no-any-return]


@pytest.mark.parametrize("verify", [True, False, "/etc/other.pem"])
@pytest.mark.parametrize("proxy_url", [None, "http://proxy:3128"])
def test_requests_uses_our_trust_and_no_other(ca_file: str, verify: bool | str, proxy_url: str | None) -> None:
    pool = pool_of(trust.session(ca_file, proxy_url), verify)
    assert trusted(pool.conn_kw["ssl_context"]) == trusted(trust.client_context(ca_file))
    assert pool.cert_reqs == "CERT_REQUIRED"
    assert (pool.ca_certs, pool.ca_cert_dir) == (None, None)


def test_the_environment_changes_neither_trust_nor_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/other.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere:1")
    settings = trust.session(None, None).merge_environment_settings("https://host/", {}, None, None, None)
    assert settings["verify"] is True
    assert not settings["proxies"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_idle_connection_that_died_is_noticed(scheme: str) -> None:
    """Else the first request after a quiet hour behind a forgetful firewall would wait in vain."""
    session = trust.session(None, None)
    adapter = session.get_adapter(f"{scheme}://host/")
    request = session.prepare_request(requests.Request("GET", f"{scheme}://host/"))
    pool = adapter.get_connection_with_tls_context(request, True)  # type: ignore[attr-defined]
    options = {(level, name): value for level, name, value in pool.conn_kw["socket_options"]}
    assert options[socket.SOL_SOCKET, socket.SO_KEEPALIVE] == 1
    kept = options[socket.IPPROTO_TCP, socket.TCP_KEEPIDLE] + 3 * options[socket.IPPROTO_TCP, socket.TCP_KEEPINTVL]
    assert kept <= 90
    assert options[socket.IPPROTO_TCP, socket.TCP_NODELAY] == 1


@pytest.mark.parametrize(("proxy_url", "proxies"), [(None, {}), ("http://proxy:3128", {"https": "http://proxy:3128"})])
def test_the_proxy_is_for_https_only(proxy_url: str | None, proxies: dict[str, str]) -> None:
    assert trust.session(None, proxy_url).proxies == proxies


def test_a_bad_file_fails_the_session_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid):
        trust.session(str(tmp_path / "none.pem"), None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimeoutError("The handshake operation timed out"), "no answer to the TLS handshake: does it speak TLS there?"),
        (
            ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
            "it ended the connection during the TLS handshake",
        ),
        (ConnectionResetError(104, "reset"), "it ended the connection during the TLS handshake"),
        (ssl.SSLError(1, "[SSL] internal error"), "TLS failed: [SSL] internal error"),
        (OSError(113, "No route to host"), "TLS failed: No route to host"),
        (OSError(), "TLS failed: OSError"),
    ],
)
def test_why_there_is_no_tls_is_told_on_one_line(error: OSError, told: str) -> None:
    assert trust.tls_problem(error) == told
