"""A TCP relay in front of the broker that a test freezes, or has cut connections at an exact byte."""

import contextlib
import select
import socket
import threading
from urllib.parse import urlsplit

#: Seconds after which the relay looks at what the test wants.
TICK_S = 0.01


class Relay:
    """Hands every connection on to `bus_url`'s broker; use it as a context manager."""

    def __init__(self, bus_url: str) -> None:
        parts = urlsplit(bus_url)
        self._broker = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._frozen = threading.Event()
        self._closed = threading.Event()
        self._cuts: list[int] = []
        self._threads: list[threading.Thread] = [threading.Thread(target=self._accept, name="relay")]
        #: What a client connects to.
        self.url = parts._replace(netloc=f"guest:guest@127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        #: Bytes that the broker sent on each connection.
        self.received: list[int] = []

    def __enter__(self) -> "Relay":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def freeze(self) -> None:
        """Pass nothing on any more, in neither direction; connections are still accepted, and stay open."""
        self._frozen.set()

    def thaw(self) -> None:
        """Pass on what came meanwhile, and go on."""
        self._frozen.clear()

    def cut_after(self, *broker_bytes: int) -> None:
        """Cut each of the next connections as soon as the broker sent so many bytes on it."""
        self._cuts += broker_bytes

    @property
    def cuts_left(self) -> int:
        """How many of the connections to be cut have not begun yet."""
        return len(self._cuts)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                cut = self._cuts.pop(0) if self._cuts else None
                self.received.append(0)
                number = len(self.received) - 1
                thread = threading.Thread(target=self._run, args=(client, cut, number), name="relay connection")
                self._threads.append(thread)
                thread.start()

    def _run(self, client: socket.socket, cut: int | None, number: int) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._broker) as broker:
            for sock in (client, broker):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._closed.is_set() and self._pass_on(client, broker, cut, number):
                pass

    def _pass_on(self, client: socket.socket, broker: socket.socket, cut: int | None, number: int) -> bool:
        if self._frozen.is_set():
            self._closed.wait(TICK_S)
            return True
        for sock in select.select([client, broker], [], [], TICK_S)[0]:
            room = 65536 if sock is client or cut is None else cut - self.received[number]
            data = sock.recv(room) if room else b""
            if not data:
                return False
            if sock is broker:
                self.received[number] += len(data)
            (client if sock is broker else broker).sendall(data)
        return True
