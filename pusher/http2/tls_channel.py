"""TLS over a socket, for many writing threads and one reading thread.

TLS state is touched under the connection's lock only: an SSL object cannot read and write at once. The socket
is used outside of it and never blocks. Whoever finds nobody sending sends for all; what the socket does not take
is left to the reader, so that no caller waits for a peer that does not read.
"""

import contextlib
import select
import socket
import ssl
import threading

from pusher.clock import Deadline
from pusher.http2.wakeup import Wakeup

_READ_BYTES = 65_536
#: A peer that makes us answer (PING, SETTINGS) and never reads must not fill our memory.
_MAX_QUEUED_BYTES = 2**24
#: How often a socket that cannot be written any more is still read: the peer may have said why.
_LAST_READS = 16


class TLSChannel:
    """Owns a connected, non-blocking socket. Methods marked "locked" are called with the lock held."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        server_name: str,
        *,
        lock: threading.Lock,
        wakeup: Wakeup,
    ) -> None:
        #: How many bytes were ever queued, and how many of them may have left this host.
        self.queued_bytes = 0
        self.left_bytes = 0
        self._sock = sock
        self._lock = lock
        self._wakeup = wakeup
        self._from_peer = ssl.MemoryBIO()
        self._to_peer = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._from_peer, self._to_peer, server_hostname=server_name)
        self._queue = bytearray()
        #: Some thread is inside `send`.
        self._sending = False
        #: The socket took no more: the reader goes on as soon as it does.
        self._stalled = False
        self._closed = False
        self._broken: OSError | None = None
        self._last_reads = _LAST_READS

    def handshake(self, deadline: Deadline) -> None:
        """Shake hands, before other threads know the channel. Raises `OSError`, which `ssl.SSLError` is."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._swap_handshake(deadline)
        self.queue(b"")

    def _swap_handshake(self, deadline: Deadline) -> None:
        ours = self._to_peer.read()
        while ours:
            self._wakeup.wait_until(self._sock, select.POLLOUT, deadline)
            ours = ours[self._sock.send(ours) :]
        self._wakeup.wait_until(self._sock, select.POLLIN, deadline)
        theirs = self._sock.recv(_READ_BYTES)
        if not theirs:
            raise ConnectionResetError("closed by the peer")
        self._from_peer.write(theirs)

    @property
    def protocol(self) -> str | None:
        """Return what ALPN chose."""
        return self._tls.selected_alpn_protocol()

    @property
    def description(self) -> str:
        """Return the TLS version and the peer's address, for the log."""
        return f"{self._tls.version()}, {self._sock.getpeername()[0]}"

    def queue(self, plain: bytes) -> None:
        """Encrypt `plain`, which may be empty, and queue it with what TLS has to say itself. Locked."""
        if self._broken is not None:
            return
        try:
            if plain:
                self._tls.write(plain)
        except OSError as error:
            self._break(error)
        encrypted = self._to_peer.read()
        self._queue += encrypted
        self.queued_bytes += len(encrypted)
        if len(self._queue) > _MAX_QUEUED_BYTES:
            self._break(BlockingIOError("the peer does not read"))

    def claim(self) -> bytearray:
        """Return what this thread has to `send` now: nothing when another one is at it. Locked."""
        if self._sending or self._stalled or self._broken is not None:
            return bytearray()
        return self._take()

    def _take(self) -> bytearray:
        chunk, self._queue = self._queue, bytearray()
        self.left_bytes += len(chunk)
        self._sending = bool(chunk)
        return chunk

    def send(self, chunk: bytearray) -> None:
        """Send what was claimed and what is queued meanwhile; blocks on nothing and raises nothing."""
        while chunk:
            sent = 0
            failure: OSError | None = None
            try:
                sent = self._sock.send(chunk)
            except BlockingIOError:
                pass
            except OSError as error:
                failure = error
            with self._lock:
                chunk = self._after_send(chunk, sent, failure)

    def _after_send(self, chunk: bytearray, sent: int, failure: OSError | None) -> bytearray:
        if self._closed:
            self._sock.close()
            return bytearray()
        if failure is None and sent == len(chunk):
            return self._take()
        self._sending = False
        if failure is not None:
            self._break(failure)
        else:
            self._stalled = True
            self.left_bytes -= len(chunk) - sent
            self._queue = chunk[sent:] + self._queue
            self._wakeup.set()
        return bytearray()

    def _break(self, error: OSError) -> None:
        self._broken = error
        self._wakeup.set()

    def receive(self, timeout_s: float | None) -> bytes | None:
        """Wait for encrypted bytes and send what was left over; None when woken or after `timeout_s`.

        Raises `OSError` when the connection is lost.
        """
        mask = select.POLLIN | (select.POLLOUT if self._stalled else 0)
        ready = self._wakeup.wait(self._sock, mask, timeout_s if self._broken is None else 0.0)
        if self._broken is not None:
            self._last_reads -= 1
            if not ready or self._last_reads < 0:
                raise self._broken
        if self._stalled and ready & ~select.POLLIN:
            with self._lock:
                self._stalled = False
                chunk = self.claim()
            self.send(chunk)
        return self._read() if ready & ~select.POLLOUT else None

    def _read(self) -> bytes | None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        if not data:
            raise ConnectionResetError("closed by the peer")
        return data

    def decrypt(self, data: bytes) -> tuple[bytes, bool]:
        """Return what `data` holds, and whether the peer ended the connection with it. Locked."""
        self._from_peer.write(data)
        plain = bytearray()
        try:
            while piece := self._tls.read(_READ_BYTES):
                plain += piece
        except ssl.SSLWantReadError:
            return bytes(plain), False
        return bytes(plain), True

    def close(self, goodbye: bytes) -> None:
        """Say `goodbye` if that is possible at once, and release the socket. Locked.

        What is still queued is never sent: its requests were reported as not processed.
        """
        self._closed = True
        if self._sending:
            # Closed under the sender's hands, its bytes could go to whoever gets the descriptor next.
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            return
        with contextlib.suppress(OSError):
            if not self._queue:
                self.queue(goodbye)
                self._say_close_notify()
        self._sock.close()

    def _say_close_notify(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            self.queue(b"")
        self._sock.send(self._queue)
