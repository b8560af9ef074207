"""A push provider that costs as little as can be, so that it is never what is measured.

It speaks HTTP/2 over TLS as far as the clients here need it, without h2: it cuts frames itself, decodes header blocks
with jh2's compiled HPACK, and accepts every request, at once or after a delay, echoing its `apns-id` as APNs does. The
strict simulators (`pusher/simulators`) are for correctness; they run on h2 as the client does, and would be the
bottleneck here.

Run as a process of its own, it takes one command a line on standard input and answers each with one line of JSON.
"""

import asyncio
import json
import re
import ssl
import sys
import time
from collections import deque
from typing import Any

from jh2._hazmat import Decoder

_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0x0, 0x1, 0x4, 0x6, 0x7, 0x8
_END_STREAM, _ACK, _END_HEADERS = 0x1, 0x1, 0x4
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: SETTINGS_MAX_CONCURRENT_STREAMS, as APNs announces it.
MAX_STREAMS = 1000
#: Bytes of DATA after which the connection's window is opened again.
_CREDIT = 16_384
_WINDOW = 2**24
_CALL_ID = re.compile(rb'"call-id": ?"([^"]+)"')
#: `:status: 200` is entry 8 of HPACK's static table; `apns-id` follows as a literal that is not indexed.
_ACCEPTED, _APNS_ID = b"\x88", b"\x00\x07apns-id"


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Return an HTTP/2 frame (RFC 9113 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


class Ledger:
    """What all connections saw."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        #: Seconds that a new connection waits for SETTINGS, as it would for the round trips to a distant provider.
        self.far_s = 0.0
        self.requests = 0
        #: Connections ever made.
        self.connected = 0
        #: Monotonic seconds at which the request with a Call-ID was complete; only while `noting`.
        self.noting = False
        self.arrivals: dict[str, float] = {}
        self.connections: set[Connection] = set()


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._buffer = bytearray()
        self._transport: Any = None
        self._greeted = False
        self._unacknowledged = 0
        self._highest = bytes(4)
        self._due: deque[tuple[float, bytes]] = deque()
        self._decoder = Decoder()
        #: Answers to requests whose body is still to come.
        self._answers: dict[bytes, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to send SETTINGS."""
        self._transport = transport
        self._ledger.connected += 1
        self._ledger.connections.add(self)
        asyncio.get_running_loop().call_later(self._ledger.far_s, self._greet)

    def _greet(self) -> None:
        limit = b"\x00\x03" + MAX_STREAMS.to_bytes(4, "big")
        # A bare loop does not look at windows; this one is wide enough for a thousand pushes.
        self._transport.write(frame(_SETTINGS, 0, 0, limit) + frame(_WINDOW_UPDATE, 0, 0, _WINDOW.to_bytes(4, "big")))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._ledger.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        buffer = self._buffer
        buffer += data
        at = 0
        if not self._greeted:
            if len(buffer) < len(_PREFACE):
                return
            at, self._greeted = len(_PREFACE), True
        output: list[bytes] = []
        while len(buffer) - at >= 9:
            end = at + 9 + int.from_bytes(buffer[at : at + 3], "big")
            if len(buffer) < end:
                break
            self._take(
                buffer[at + 3], buffer[at + 4], bytes(buffer[at + 5 : at + 9]), bytes(buffer[at + 9 : end]), output
            )
            at = end
        del buffer[:at]
        if output:
            self._transport.write(b"".join(output))

    def go_away(self) -> None:
        """End the connection in the orderly way, as a provider does with an idle one."""
        self._transport.write(frame(_GOAWAY, 0, 0, self._highest + bytes(4)))
        self._transport.close()

    def _take(self, kind: int, flags: int, stream: bytes, payload: bytes, output: list[bytes]) -> None:
        if kind == _HEADERS:
            self._answers[stream] = self._answer(stream, payload)
        elif kind == _DATA:
            self._credit(len(payload), output)
            if self._ledger.noting and (found := _CALL_ID.search(payload)):
                self._ledger.arrivals[found[1].decode()] = time.monotonic()
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            self._ledger.requests += 1
            self._highest = stream
            answer = self._answers.pop(stream)
            if self._ledger.delay_s:
                self._answer_later(answer)
            else:
                output.append(answer)
        elif kind == _SETTINGS and not flags & _ACK:
            output.append(frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            output.append(frame(_PING, _ACK, 0, payload))

    def _answer(self, stream: bytes, block: bytes) -> bytes:
        """Return the frame that accepts the request with header `block`; no client here pads it or cuts it in two."""
        apns_id = next((value for name, value, _ in self._decoder.decode(block, True) if name == b"apns-id"), b"")
        payload = _ACCEPTED + (_APNS_ID + bytes((len(apns_id),)) + apns_id if apns_id else b"")
        return frame(_HEADERS, _END_STREAM | _END_HEADERS, int.from_bytes(stream, "big"), payload)

    def _credit(self, size: int, output: list[bytes]) -> None:
        self._unacknowledged += size
        if self._unacknowledged >= _CREDIT:
            output.append(frame(_WINDOW_UPDATE, 0, 0, self._unacknowledged.to_bytes(4, "big")))
            self._unacknowledged = 0

    def _answer_later(self, answer: bytes) -> None:
        self._due.append((time.monotonic() + self._ledger.delay_s, answer))
        if len(self._due) == 1:
            asyncio.get_running_loop().call_later(self._ledger.delay_s, self._answer_due)

    def _answer_due(self) -> None:
        now = time.monotonic()
        output = []
        # What is due within half a millisecond goes with it: a timer of its own for each would be a load.
        while self._due and self._due[0][0] <= now + 0.0005:
            output.append(self._due.popleft()[1])
        self._transport.write(b"".join(output))
        if self._due:
            asyncio.get_running_loop().call_later(self._due[0][0] - now, self._answer_due)


async def serve(certificate: str, port: int) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])
    ledger = Ledger()
    server = await loop.create_server(lambda: Connection(ledger), "127.0.0.1", port, ssl=context)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    while line := await commands.readline():
        print(json.dumps(obey(ledger, *line.decode().split())), flush=True)


def obey(ledger: Ledger, command: str, argument: str = "0") -> object:
    """Carry out one command of standard input and return its answer."""
    match command:
        case "delay_ms":
            ledger.delay_s = float(argument) / 1000
        case "far_ms":
            ledger.far_s = float(argument) / 1000
        case "note":
            ledger.noting, ledger.arrivals = bool(int(argument)), {}
        case "arrivals":
            return ledger.arrivals
        case "go_away":
            for connection in list(ledger.connections):
                connection.go_away()
        case "state":
            pass
        case _:
            return {"error": command}
    return {"requests": ledger.requests, "connected": ledger.connected, "open": len(ledger.connections)}


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
