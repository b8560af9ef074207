"""A peer that reads slowly, seen from the channel: order, what left and what did not."""

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pusher.clock import Deadline
from pusher.http2.tls_channel import TLSChannel
from pusher.http2.wakeup import Wakeup
from pusher.trust import client_context
from tests.support.h2_peer import Certificates

PLAIN = bytes(range(256)) * 8192


@dataclass
class Peer:
    """The other end: TLS by hand, so that a test can count encrypted bytes."""

    sock: socket.socket
    tls: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    #: Encrypted bytes received.
    received: int = 0

    def shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                self.read()
        self.sock.sendall(self.outgoing.read())

    def read(self) -> bool:
        """Take what one recv gives; False at the end."""
        data = self.sock.recv(65_536)
        self.received += len(data)
        self.incoming.write(data)
        return bool(data)

    def plain(self) -> bytes:
        """Decrypt what was read so far."""
        found = b""
        while True:
            try:
                found += self.tls.read(65_536)
            except ssl.SSLWantReadError:
                return found


@dataclass
class Ends:
    channel: TLSChannel
    peer: Peer
    lock: threading.Lock

    def stall(self) -> None:
        """Queue more than the socket takes, and send what it takes."""
        with self.lock:
            self.channel.queue(PLAIN)
            chunk = self.channel.claim()
        self.channel.send(chunk)


@pytest.fixture
def ends(certificates: Certificates) -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    ours.setblocking(False)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certificates.server_context("h2").wrap_bio(incoming, outgoing, server_side=True)
    peer = Peer(theirs, tls, incoming, outgoing)
    thread = threading.Thread(target=peer.shake_hands)
    thread.start()
    lock, wakeup = threading.Lock(), Wakeup()
    context = client_context(str(certificates.ca_file))
    channel = TLSChannel(ours, context, "localhost", lock=lock, wakeup=wakeup)
    channel.handshake(Deadline.after(5))
    with lock:
        chunk = channel.claim()
    channel.send(chunk)
    thread.join()
    # The server's session tickets, unread, would make closing a reset.
    tickets = channel.receive(5.0)
    assert tickets is not None
    with lock:
        assert channel.decrypt(tickets) == (b"", False)
    peer.received = channel.left_bytes
    yield Ends(channel, peer, lock)
    ours.close()
    theirs.close()
    wakeup.close()


def test_what_the_socket_does_not_take_is_sent_by_the_reader_in_order(ends: Ends) -> None:
    ends.stall()
    with ends.lock:
        ends.channel.queue(b"the end")
        assert ends.channel.claim() == b"", "the reader goes on, nobody else"
    found = b""
    while not found.endswith(b"the end"):
        assert ends.peer.read()
        found += ends.peer.plain()
        ends.channel.receive(0.0)
    assert found == PLAIN + b"the end"
    assert ends.channel.left_bytes == ends.channel.queued_bytes == ends.peer.received


def test_what_is_still_queued_has_not_left(ends: Ends) -> None:
    ends.stall()
    left = ends.channel.left_bytes
    assert 0 < left < ends.channel.queued_bytes
    while ends.peer.received < left:
        ends.peer.read()
    assert ends.peer.received == left


def test_closing_sends_nothing_of_what_is_still_queued(ends: Ends) -> None:
    ends.stall()
    left = ends.channel.left_bytes
    while ends.peer.received < left:
        ends.peer.read()
    with ends.lock:
        ends.channel.close(b"goodbye")
    assert not ends.peer.read()
    assert ends.peer.received == left


def test_closing_says_goodbye_where_nothing_is_in_the_way(ends: Ends) -> None:
    with ends.lock:
        ends.channel.close(b"goodbye")
    while ends.peer.read():
        pass
    assert ends.peer.tls.read() == b"goodbye"
    assert ends.peer.tls.read() == b"", "close_notify"


def test_a_peer_that_is_gone_is_noticed_after_what_it_said_last(ends: Ends) -> None:
    ends.peer.tls.write(b"last words")
    ends.peer.sock.sendall(ends.peer.outgoing.read())
    ends.peer.sock.close()
    ends.stall()
    words = b""
    with pytest.raises(OSError, match=r"closed|Broken pipe|reset"):  # noqa: PT012
        while True:
            data = ends.channel.receive(1.0)
            if data is not None:
                words += ends.channel.decrypt(data)[0]
    assert words == b"last words"
