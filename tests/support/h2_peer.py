"""A scriptable HTTP/2 server over TLS on loopback: it answers, or misbehaves exactly as a test tells it to.

One thread for each connection; hooks run on it, and `Link.post` has it run more. What it saw is kept in public lists.
"""

import contextlib
import datetime
import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, PingReceived, RequestReceived, SettingsAcknowledged, StreamEnded, StreamReset
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

TICK_S = 0.005


class Certificates:
    """A certificate authority of its own and a server certificate for `names` (DNS names and addresses)."""

    def __init__(self, directory: Path, *names: str) -> None:
        self.ca_file = directory / "ca.pem"
        self.chain_file = directory / "server.pem"
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        ca = self._sign(ca_key, ca_key, "test authority", None, x509.BasicConstraints(ca=True, path_length=0))
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        certificate = self._sign(key, ca_key, "test server", ca, alternatives)
        self.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        self.chain_file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def server_context(self, *alpn: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain_file)
        context.set_alpn_protocols(list(alpn))
        return context

    @staticmethod
    def _sign(
        key: ec.EllipticCurvePrivateKey,
        ca_key: ec.EllipticCurvePrivateKey,
        name: str,
        issuer: x509.Certificate | None,
        extension: x509.ExtensionType,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(extension, critical=issuer is None)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(ca_key, hashes.SHA256())
        )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class PeerRequest:
    """A request as it arrived; complete once it is in `H2Peer.requests`."""

    #: The number of its connection, counted from 0.
    link: int
    stream_id: int
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


class Link:
    """One accepted connection."""

    def __init__(self, peer: "H2Peer", number: int, sock: ssl.SSLSocket) -> None:
        self.peer = peer
        self.number = number
        self.sock = sock
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.local_settings = Settings(client=False, initial_values=dict(peer.settings))
        #: Requests whose stream is open, by stream id, and the most there ever were at once.
        self.open: dict[int, PeerRequest] = {}
        self.most_open = 0
        self.settings_acknowledged = 0
        self.resets: list[tuple[int, int]] = []
        #: Signs of life that we asked for.
        self.pings = 0
        self.reading = True
        self.started = False
        self.ended = threading.Event()
        self.error: Exception | None = None
        self._posted: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def start(self) -> None:
        """Send the SETTINGS that make the connection ready."""
        self.started = True
        self.h2.initiate_connection()
        self.flush()

    def respond(
        self, stream_id: int, status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        """Answer and forget the stream."""
        self.open.pop(stream_id, None)
        fields = [(":status", str(status)), *(headers or {}).items()]
        self.h2.send_headers(stream_id, fields, end_stream=not body)
        if body:
            self.h2.send_data(stream_id, body, end_stream=True)
        self.flush()

    def reset(self, stream_id: int, code: int) -> None:
        self.open.pop(stream_id, None)
        self.h2.reset_stream(stream_id, code)
        self.flush()

    def go_away(self, last_stream_id: int, debug_data: bytes = b"", code: int = 0) -> None:
        """Send GOAWAY past h2, which would refuse to answer anything afterwards."""
        frame = GoAwayFrame(0)
        frame.last_stream_id = last_stream_id
        frame.error_code = code
        frame.additional_data = debug_data
        self.send_raw(frame.serialize())

    def flush(self) -> None:
        self.send_raw(self.h2.data_to_send())

    def send_raw(self, data: bytes) -> None:
        if data:
            self.sock.sendall(data)

    def close(self) -> None:
        """End the connection without a word of HTTP/2."""
        self.ended.set()

    def post(self, work: Callable[[], object]) -> None:
        """Have `work` done on the connection's thread."""
        self._posted.put(work)

    def run(self) -> None:
        try:
            self.sock.settimeout(TICK_S)
            if self.peer.on_connect is not None:
                self.peer.on_connect(self)
            else:
                self.start()
            while not self.ended.is_set() and self._tick():
                pass
        except (OSError, H2Error) as error:
            self.error = error
        finally:
            self.ended.set()
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
            self.sock.close()

    def _tick(self) -> bool:
        while not self._posted.empty():
            self._posted.get()()
        if not self.reading:
            self.ended.wait(TICK_S)
            return True
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            if self.peer.on_idle is not None:
                self.peer.on_idle(self)
            return True
        if not data:
            return False
        for event in self.h2.receive_data(data):
            self._handle(event)
        if self.started:
            self.flush()
        return True

    def _handle(self, event: object) -> None:
        if isinstance(event, RequestReceived):
            headers = {str(name): str(value) for name, value in event.headers}
            self.open[event.stream_id] = PeerRequest(self.number, event.stream_id, headers)
            self.most_open = max(self.most_open, len(self.open))
        elif isinstance(event, DataReceived):
            if event.stream_id in self.open:
                self.open[event.stream_id].body += event.data
            if self.peer.acknowledge_data:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded) and event.stream_id in self.open:
            request = self.open[event.stream_id]
            self.peer.requests.append(request)
            self.peer.on_request(self, request)
        elif isinstance(event, StreamReset):
            self.open.pop(event.stream_id, None)
            self.resets.append((event.stream_id, int(event.error_code)))
        elif isinstance(event, PingReceived):
            self.pings += 1
        elif isinstance(event, SettingsAcknowledged):
            self.settings_acknowledged += 1


def answer(link: Link, request: PeerRequest) -> None:
    """Say 200 and return the request's body."""
    link.respond(request.stream_id, body=bytes(request.body))


def ignore(link: Link, request: PeerRequest) -> None:
    """Leave the stream open without an answer."""


def refuse(link: Link, request: PeerRequest) -> None:
    """Reset with REFUSED_STREAM."""
    link.reset(request.stream_id, ErrorCodes.REFUSED_STREAM)


class H2Peer:
    """Listens on a free port of 127.0.0.1 until closed."""

    def __init__(
        self,
        certificates: Certificates,
        *,
        on_request: Callable[[Link, PeerRequest], None] = answer,
        on_connect: Callable[[Link], None] | None = None,
        on_idle: Callable[[Link], None] | None = None,
        settings: dict[SettingCodes, int] | None = None,
        alpn: tuple[str, ...] = ("h2",),
        acknowledge_data: bool = True,
    ) -> None:
        self.on_request = on_request
        self.on_connect = on_connect
        self.on_idle = on_idle
        self.settings = settings or {SettingCodes.MAX_CONCURRENT_STREAMS: 100}
        self.acknowledge_data = acknowledge_data
        #: Complete requests in the order they arrived, and connections in the order they were accepted.
        self.requests: list[PeerRequest] = []
        self.links: list[Link] = []
        self._context = certificates.server_context(*alpn)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="peer accept")]
        self._threads[0].start()

    def __enter__(self) -> "H2Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for link in self.links:
            link.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(raw,), name="peer link")
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock = self._context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return
        link = Link(self, len(self.links), sock)
        self.links.append(link)
        link.run()
