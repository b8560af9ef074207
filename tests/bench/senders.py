"""The clients that benchmark 1 compares: each sends the same pushes as fast as it can, with so many in flight.

Run as a process of its own: `python -m tests.bench.senders CLIENT PORT CA_FILE IN_FLIGHT SECONDS`; prints one line of
JSON. The clock starts when the connection stands and a first round is through.
"""

import asyncio
import importlib
import json
import resource
import select
import socket
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

HOST = "127.0.0.1"
TOKEN = "0123456789abcdef" * 4
TOPIC = "com.example.softphone.voip"
#: As long as a provider token of APNs is.
AUTHORIZATION = "bearer " + "eyJhbGciOiJFUzI1NiIsImtpZCI6IktFWTEyMzQ1NjcifQ." * 4
MESSAGE = {
    "call-id": "0123456789abcdef@198.51.100.7",
    "proxy": "sip:198.51.100.7:5060;transport=tcp",
    "caller-id-name": "Bob",
    "caller-id-number": "+15551230000",
    "registration-token": "58ecec69-d833-402f-b41e-290492e75b4c",
    "aps": {"sound": "ring.caf", "alert": {"loc-key": "IC_SIL", "loc-args": ["+15551230000 - Bob"]}},
}
BODY = json.dumps(MESSAGE).encode()


def apns_headers(apns_id: str) -> tuple[tuple[str, str], ...]:
    """Return the header fields of one push, without pseudo headers."""
    return (
        ("apns-topic", TOPIC),
        ("apns-push-type", "voip"),
        ("apns-priority", "10"),
        ("apns-expiration", str(int(time.time()) + 20)),
        ("apns-id", apns_id),
        ("authorization", AUTHORIZATION),
    )


class Meter:
    """Counts answers, and says when it is enough."""

    def __init__(self, in_flight: int, seconds: float) -> None:
        self._seconds = seconds
        self._left_to_warm_up = max(20, in_flight)
        self._began = float("inf")
        self._cpu_began = 0.0
        self.answers = 0

    def answered(self) -> bool:
        """Count one; tell whether to go on."""
        now = time.monotonic()
        if self._left_to_warm_up > 0:
            self._left_to_warm_up -= 1
            if self._left_to_warm_up == 0:
                self._began, self._cpu_began = now, time.process_time()
            return True
        if now - self._began >= self._seconds:
            return False
        self.answers += 1
        return True

    def report(self, **more: object) -> dict[str, object]:
        """Return what was counted."""
        wall_s = self._seconds
        cpu_s = time.process_time() - self._cpu_began
        memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"rate": self.answers / wall_s, "cpu_share": cpu_s / wall_s, "memory_kib": memory_kib, **more}


def with_pusher(port: int, ca_file: str, in_flight: int, meter: Meter) -> None:
    """Send through Pusher's pool, from `in_flight` threads."""
    pool_module: Any = importlib.import_module("pusher.http2.pool")
    request_module: Any = importlib.import_module("pusher.http2.request")
    deadline: Any = importlib.import_module("pusher.clock").Deadline
    pool = pool_module.HTTP2Pool(pool_module.Origin.parse(f"{HOST}:{port}"), trusting(ca_file))
    lock = threading.Lock()
    failures: list[Exception] = []

    def work() -> None:
        try:
            going = True
            while going:
                headers = apns_headers(str(uuid.uuid4()))
                request = request_module.Request(path=f"/3/device/{TOKEN}", headers=headers, body=BODY)
                answer = pool.send(request, deadline.after(10))
                assert answer.status == 200
                with lock:
                    going = meter.answered()
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would make the others look slow.
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(in_flight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    if failures:
        raise failures[0]


def with_h2(port: int, ca_file: str, in_flight: int, meter: Meter, h2: str = "h2") -> None:
    """Send in a bare loop on h2: one thread, one socket, nothing that a service needs. The floor."""
    connection = connected_h2(h2)
    events: Any = importlib.import_module(f"{h2}.events")
    context = trusting(ca_file)
    context.set_alpn_protocols(["h2"])
    sock = context.wrap_socket(socket.create_connection((HOST, port)), server_hostname=HOST)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    connection.initiate_connection()
    ready = False
    going = True
    while going:
        output = connection.data_to_send()
        while output:
            try:
                output = output[sock.send(output) :]
            except (ssl.SSLWantWriteError, BlockingIOError):
                select.select([], [sock], [])
        for event in received(sock, connection):
            if isinstance(event, events.RemoteSettingsChanged) and not ready:
                ready = True
                for _ in range(in_flight):
                    send_on(connection, port)
            elif isinstance(event, events.StreamEnded):
                going = going and meter.answered()
                if going:
                    send_on(connection, port)
    sock.close()


def connected_h2(h2: str) -> Any:
    """Return an H2Connection of package `h2` with its defaults."""
    configuration = importlib.import_module(f"{h2}.config").H2Configuration(client_side=True)
    return importlib.import_module(f"{h2}.connection").H2Connection(configuration)


def received(sock: ssl.SSLSocket, connection: Any) -> Iterator[Any]:
    """Wait for bytes and return what they mean."""
    data = b""
    while not data:
        try:
            data = sock.recv(65_536)
            assert data, "the provider closed the connection"
        except (ssl.SSLWantReadError, BlockingIOError):
            select.select([sock], [], [])
    return iter(connection.receive_data(data))


def send_on(connection: Any, port: int) -> None:
    """Open a stream for one push."""
    stream_id = connection.get_next_available_stream_id()
    headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", f"{HOST}:{port}"),
        (":path", f"/3/device/{TOKEN}"),
        ("content-type", "application/json"),
        ("content-length", str(len(BODY))),
        *apns_headers(str(uuid.uuid4())),
    ]
    connection.send_headers(stream_id, headers)
    connection.send_data(stream_id, BODY, end_stream=True)


def with_jh2(port: int, ca_file: str, in_flight: int, meter: Meter) -> None:
    """Send in the same loop on jh2, h2's fork with a compiled HPACK."""
    with_h2(port, ca_file, in_flight, meter, h2="jh2")


def with_aioapns(port: int, ca_file: str, in_flight: int, meter: Meter) -> None:
    """Send through aioapns, from `in_flight` coroutines on one connection."""
    asyncio.run(_with_aioapns(port, ca_file, in_flight, meter))


async def _with_aioapns(port: int, ca_file: str, in_flight: int, meter: Meter) -> None:
    aioapns: Any = importlib.import_module("aioapns")
    connection: Any = importlib.import_module("aioapns.connection")
    connection.APNsProductionClientProtocol.APNS_SERVER = HOST
    connection.APNsTLSClientProtocol.APNS_PORT = port
    context = trusting(ca_file)
    context.set_alpn_protocols(["h2"])
    client = aioapns.APNs(
        key=private_key(),
        key_id="KEY1234567",
        team_id="TEAM123456",
        topic=TOPIC,
        max_connections=1,
        ssl_context=context,
    )

    async def work() -> None:
        going = True
        while going:
            request = aioapns.NotificationRequest(
                device_token=TOKEN,
                message=MESSAGE,
                time_to_live=20,
                priority=10,
                push_type=aioapns.PushType.VOIP,
                notification_id=str(uuid.uuid4()),
            )
            answer = await client.send_notification(request)
            assert answer.is_successful
            going = meter.answered()

    await asyncio.gather(*(work() for _ in range(in_flight)))


def private_key() -> str:
    """Return a new P-256 key as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def with_httpx(port: int, ca_file: str, in_flight: int, meter: Meter) -> None:
    """Send through httpx, from `in_flight` coroutines on one connection."""
    asyncio.run(_with_httpx(port, ca_file, in_flight, meter))


async def _with_httpx(port: int, ca_file: str, in_flight: int, meter: Meter) -> None:
    httpx: Any = importlib.import_module("httpx")
    limits = httpx.Limits(max_connections=1)
    context = trusting(ca_file)
    async with httpx.AsyncClient(http1=False, http2=True, verify=context, limits=limits, timeout=60) as client:

        async def work() -> None:
            going = True
            while going:
                headers = {"content-type": "application/json", **dict(apns_headers(str(uuid.uuid4())))}
                answer = await client.post(f"https://{HOST}:{port}/3/device/{TOKEN}", headers=headers, content=BODY)
                assert answer.status_code == 200
                going = meter.answered()

        await asyncio.gather(*(work() for _ in range(in_flight)))


def trusting(ca_file: str) -> ssl.SSLContext:
    """Return a TLS context that trusts the benchmark's authority."""
    return ssl.create_default_context(cafile=ca_file)


CLIENTS: dict[str, Callable[[int, str, int, Meter], None]] = {
    "pusher": with_pusher,
    "h2": with_h2,
    "jh2": with_jh2,
    "aioapns": with_aioapns,
    "httpx": with_httpx,
}


def main(client: str, port: str, ca_file: str, in_flight: str, seconds: str) -> None:
    """Send, and print what came of it."""
    meter = Meter(int(in_flight), float(seconds))
    error = None
    try:
        CLIENTS[client](int(port), ca_file, int(in_flight), meter)
    except Exception as failure:  # noqa: BLE001 - a peer that breaks under load is a result, and not the end of the benchmark.
        error = f"{type(failure).__name__}: {failure}"
    print(json.dumps(meter.report(error=error)))


if __name__ == "__main__":
    main(*sys.argv[1:])
