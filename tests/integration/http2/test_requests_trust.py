"""`trust.session` against a real TLS server."""

import http.server
import threading
from collections.abc import Iterator

import pytest
import requests

from pusher import trust
from tests.support.h2_peer import Certificates


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def url(no_thread_left: None, certificates: Certificates) -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = certificates.server_context("http/1.1").wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://localhost:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("verify", [True, False])
def test_our_authority_is_trusted(url: str, certificates: Certificates, verify: bool) -> None:
    with trust.session(str(certificates.ca_file), None) as session:
        assert session.get(url, timeout=5, verify=verify).status_code == 204


@pytest.mark.parametrize("verify", [True, False])
def test_the_environment_and_verify_make_nobody_trusted(
    url: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, verify: bool
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))
    with trust.session(None, None) as session, pytest.raises(requests.exceptions.SSLError):
        session.get(url, timeout=5, verify=verify)
