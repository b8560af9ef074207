"""Waiting for a socket in such a way that another thread can end the wait at once."""

import os
import select
import socket

from pusher.clock import Deadline


class Wakeup:
    """Belongs to the thread that waits; the other methods are called with the connection's lock held."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._cancelled = False
        self._closed = False

    def set(self) -> None:
        """Make the present or the next `wait` return early."""
        if not self._closed:
            os.eventfd_write(self._fd, 1)

    def cancel(self) -> None:
        """Make the present and every later `wait` raise."""
        self._cancelled = True
        self.set()

    def wait(self, sock: socket.socket, mask: int, timeout_s: float | None) -> int:
        """Return the poll events of `sock` among `mask`, 0 when woken or after `timeout_s` (None: no limit).

        Raises `ConnectionAbortedError` once cancelled.
        """
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(sock, mask)
        # Rounded up: a wait that ends a little early would be repeated without pause until its time has come.
        ready = dict(poll.poll(None if timeout_s is None else int(timeout_s * 1000) + 1))
        if self._cancelled:
            raise ConnectionAbortedError("closed by us")
        if self._fd in ready:
            os.eventfd_read(self._fd)
        return ready.get(sock.fileno(), 0)

    def wait_until(self, sock: socket.socket, mask: int, deadline: Deadline) -> None:
        """Return when `sock` is ready for `mask`. Raises `TimeoutError` when `deadline` passes before."""
        while not self.wait(sock, mask, deadline.remaining_s()):
            if deadline.passed:
                raise TimeoutError("timed out")

    def close(self) -> None:
        """Release the descriptor; afterwards `set` and `cancel` do nothing."""
        self._closed = True
        os.close(self._fd)
