"""Whom every TLS connection trusts: the system's authorities and those of `PUSHER_CA_FILE`.

The same for the HTTP/2 client, brokers, Redis, and `requests`, which by itself trusts certifi or what
REQUESTS_CA_BUNDLE names.
"""

import socket
import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from pusher.errors import SettingsInvalid

#: A firewall that forgot an idle connection is noticed within 90 seconds, not by the next request that uses it.
_SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that checks certificate and host name and speaks TLS 1.2 or later.

    Raises `SettingsInvalid` for a `ca_file` that cannot be read or holds no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9113 9.2.1; a renegotiation would also make reads wait for writes.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            problem = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise SettingsInvalid("PUSHER_CA_FILE", f"{ca_file}: {problem}") from error
    return context


def tls_problem(error: OSError) -> str:
    """Return on one line why there is no TLS with a server, and what an operator may look at."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
        case TimeoutError():
            return "no answer to the TLS handshake: does it speak TLS there?"
        case ssl.SSLEOFError() | ConnectionResetError() | BrokenPipeError():
            return "it ended the connection during the TLS handshake"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return "it does not speak TLS there"
    return f"TLS failed: {getattr(error, 'reason', None) or error.strerror or type(error).__name__}"


def session(ca_file: str | None, proxy_url: str | None) -> requests.Session:
    """Return a session whose https uses `client_context`, and the proxy where `proxy_url` names one.

    Neither the environment nor a request's `verify` changes the trust. Raises `SettingsInvalid` as above.
    """
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", _KeepAliveAdapter())
    made.mount("https://", _TrustingAdapter(client_context(ca_file)))
    if proxy_url is not None:
        made.proxies = {"https": proxy_url}
    return made


class _KeepAliveAdapter(HTTPAdapter):
    """Notices idle connections that died."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Make the pools as requests does, with our socket options."""
        super().init_poolmanager(connections, maxsize, block, socket_options=_SOCKET_OPTIONS, **options)


class _TrustingAdapter(_KeepAliveAdapter):
    """Hands urllib3 one context, complete, in place of what requests makes of `verify`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: object, cert: object = None
    ) -> tuple[Any, Any]:
        """Return where to connect to as requests does, and our context."""
        host, _ = super().build_connection_pool_key_attributes(request, True)
        return host, {"ssl_context": self._context, "cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: str, verify: object, cert: object) -> None:
        """Leave the connection as it is: requests would add certifi's authorities to our context here."""
