"""How much more DATA the peer may send on the connection, whatever stream it is for (RFC 9113 6.9)."""

from h2.errors import ErrorCodes

from pusher.http2.frames import PeerError


class ReceiveWindow:
    """A window that is opened again before it closes: bodies are bounded, so no stream holds up the others."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._spent = 0

    def spend(self, size: int) -> int:
        """Count DATA; return by how much the peer shall be told that the window grows. Raises `PeerError`."""
        self._spent += size
        if self._spent > self._size:
            raise PeerError(ErrorCodes.FLOW_CONTROL_ERROR, "more than the connection's window holds")
        if self._spent < self._size // 4:
            return 0
        credit, self._spent = self._spent, 0
        return credit
