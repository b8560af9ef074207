"""What a request costs without any I/O: its fields, sending it, receiving its answer; in one thread.

`python -m tests.bench.exchange` prints microseconds as JSON. Copied into an older checkout it measures that one.
"""

import json
import time
import uuid

from pusher.http2.exchange import Exchange
from pusher.http2.fields import request_fields
from pusher.http2.request import Request
from tests.bench.provider import MAX_STREAMS, frame
from tests.bench.senders import BODY, HOST, TOKEN, apns_headers

_HEADERS, _SETTINGS, _WINDOW_UPDATE = 0x1, 0x4, 0x8
_REQUESTS = 5000


def main() -> None:
    """Measure, after as many requests again for the caches."""
    _measure()
    print(json.dumps(_measure()))


def _measure() -> dict[str, float]:
    exchange = Exchange()
    limit = b"\x00\x03" + MAX_STREAMS.to_bytes(4, "big")
    list(exchange.receive(frame(_SETTINGS, 0, 0, limit) + frame(_WINDOW_UPDATE, 0, 0, (2**24).to_bytes(4, "big"))))
    took_s = {"fields": 0.0, "send": 0.0, "receive": 0.0}
    for _ in range(_REQUESTS):
        apns_id = str(uuid.uuid4())
        request = Request(path=f"/3/device/{TOKEN}", headers=apns_headers(apns_id), body=BODY)
        start = time.perf_counter()
        fields = request_fields(HOST, request)
        made = time.perf_counter()
        stream_id = exchange.open(fields, BODY)
        exchange.take_output()
        sent = time.perf_counter()
        answer = frame(_HEADERS, 0x5, stream_id, b"\x88\x00\x07apns-id" + bytes((len(apns_id),)) + apns_id.encode())
        received = time.perf_counter()
        assert len(list(exchange.receive(answer))) == 1
        took_s["fields"] += made - start
        took_s["send"] += sent - made
        took_s["receive"] += time.perf_counter() - received
    return {name: 1e6 * seconds / _REQUESTS for name, seconds in took_s.items()}


if __name__ == "__main__":
    main()
