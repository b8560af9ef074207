"""An HTTP proxy that knows CONNECT only and may want a password."""

import contextlib
import socket
import threading


class ConnectProxy:
    """Listens on a free port of 127.0.0.1 until closed."""

    def __init__(self, *, authorization: str | None = None) -> None:
        self.authorization = authorization
        #: The request line of every CONNECT.
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="proxy accept")]
        self._threads[0].start()

    def __enter__(self) -> "ConnectProxy":
        return self

    def __exit__(self, *_: object) -> None:
        for sock in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in [self._listener, *self._sockets]:
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._start(self._serve, client)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="proxy")  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        first, *fields = head.decode().split("\r\n")
        self.asked.append(first)
        if self.authorization is not None and f"Proxy-Authorization: {self.authorization}" not in fields:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            return
        upstream = socket.create_connection(("127.0.0.1", int(first.split()[1].rpartition(":")[2])))
        self._sockets.append(upstream)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._start(self._copy, client, upstream)
        self._copy(upstream, client)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
