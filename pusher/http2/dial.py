"""Opens a connection: DNS, TCP, the proxy if there is one, TLS, ALPN; all of it before one deadline."""

import base64
import errno
import os
import select
import socket
import ssl
import threading
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pusher.clock import Deadline
from pusher.errors import NotProcessed, SettingsInvalid
from pusher.http2.origin import Origin
from pusher.http2.peer_words import printable
from pusher.http2.tls_channel import TLSChannel
from pusher.http2.wakeup import Wakeup

_MAX_PROXY_ANSWER = 16_384
#: A path that died while the connection was idle (NAT, a firewall) is noticed by the kernel within two
#: minutes, one that died under load within 30 seconds.
_SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy that tunnels by CONNECT."""

    host: str
    port: int
    #: The value of Proxy-Authorization; None where the URL names no user.
    authorization: str | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """Read `http://user:password@host:port`. Raises `SettingsInvalid`, which never quotes the URL."""
        try:
            parts = urlsplit(url)
            host = Origin.parse(parts.netloc.rpartition("@")[2]).host
            port = 80 if parts.port is None else parts.port
            user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            # What is no UTF-8 in the environment comes as surrogates, and goes out as it came.
            authorization = "Basic " + base64.b64encode(user.encode(errors="surrogateescape")).decode()
        except (ValueError, SettingsInvalid):
            parts = None
        if parts is None or parts.scheme != "http":
            raise SettingsInvalid("PUSHER_PROXY_URL", "expected http://host:port or http://user:password@host:port")
        return cls(host=host, port=port, authorization=None if parts.username is None else authorization)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """How to reach one origin."""

    origin: Origin
    #: Offers `h2` by ALPN; holds the client certificate where there is one.
    tls: ssl.SSLContext
    proxy: Proxy | None

    def dial(self, lock: threading.Lock, wakeup: Wakeup, deadline: Deadline) -> TLSChannel:
        """Return a channel that speaks HTTP/2; its owner shares `lock` and `wakeup` with it.

        Raises `NotProcessed` with the reason on one line.
        """
        try:
            sock = self._connect(wakeup, deadline)
        except (OSError, ValueError) as error:
            where = "cannot connect" if self.proxy is None else "cannot connect by the proxy"
            raise NotProcessed(f"{where}: {_describe(error)}") from error
        try:
            channel = TLSChannel(sock, self.tls, self.origin.host, lock=lock, wakeup=wakeup)
            channel.handshake(deadline)
        except (OSError, ValueError) as error:
            sock.close()
            raise NotProcessed(f"no TLS: {_describe(error)}") from error
        if channel.protocol != "h2":
            sock.close()
            raise NotProcessed(f"it does not speak HTTP/2 (ALPN chose {channel.protocol})")
        return channel

    def _connect(self, wakeup: Wakeup, deadline: Deadline) -> socket.socket:
        if self.proxy is None:
            return _connect_any(self.origin.host, self.origin.port, wakeup, deadline)
        sock = _connect_any(self.proxy.host, self.proxy.port, wakeup, deadline)
        try:
            _open_tunnel(sock, self.origin, self.proxy, wakeup, deadline)
        except OSError:
            sock.close()
            raise
        return sock


def _connect_any(host: str, port: int, wakeup: Wakeup, deadline: Deadline) -> socket.socket:
    """Try every address that DNS has now, each with its share of the time that is left."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = TimeoutError("timed out")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        share_s = deadline.remaining_s() / (len(addresses) - position)
        sock = socket.socket(family, kind, protocol)
        try:
            _connect_one(sock, address, wakeup, Deadline.after(share_s))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _connect_one(sock: socket.socket, address: object, wakeup: Wakeup, deadline: Deadline) -> None:
    sock.setblocking(False)
    for level, option, value in _SOCKET_OPTIONS:
        sock.setsockopt(level, option, value)
    code = sock.connect_ex(address)  # type: ignore[arg-type]
    if code == errno.EINPROGRESS:
        wakeup.wait_until(sock, select.POLLOUT, deadline)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _open_tunnel(sock: socket.socket, origin: Origin, proxy: Proxy, wakeup: Wakeup, deadline: Deadline) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    target = f"{host}:{origin.port}"
    authorization = "" if proxy.authorization is None else f"Proxy-Authorization: {proxy.authorization}\r\n"
    sock.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        wakeup.wait_until(sock, select.POLLIN, deadline)
        piece = sock.recv(4096)
        answer += piece
        if not piece or len(answer) > _MAX_PROXY_ANSWER:
            raise ConnectionResetError("the proxy gave no answer")
    status = printable(answer.partition(b"\r\n")[0].decode("ascii", "replace"))
    if not status.partition(" ")[2].startswith("2"):
        raise ConnectionRefusedError(f"the proxy answered {status}")


def _describe(error: Exception) -> str:
    """Return the one line that tells an operator what to look at."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(str(error)) or type(error).__name__
