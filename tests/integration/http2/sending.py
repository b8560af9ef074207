"""Requests from many threads, and what became of each."""

import threading
from dataclasses import dataclass, field

from pusher.clock import Deadline
from pusher.errors import TransportError
from pusher.http2.pool import HTTP2Pool
from pusher.http2.request import Request, Response


def request(number: int = 0, *, size: int = 0) -> Request:
    """Return a request whose apns-id and body are its number."""
    body = str(number).encode().ljust(size)
    return Request(path=f"/3/device/{number:064x}", headers=(("apns-id", str(number)),), body=body)


def send(pool: HTTP2Pool, number: int = 0, *, seconds: float = 10.0, size: int = 0) -> Response:
    return pool.send(request(number, size=size), Deadline.after(seconds))


@dataclass
class Crowd:
    """Threads that send; `results` holds a response or an error for each number."""

    threads: list[threading.Thread]
    results: dict[int, Response | TransportError] = field(default_factory=dict)

    def join(self) -> dict[int, Response | TransportError]:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "a send did not come back"
        return self.results

    def statuses(self) -> set[object]:
        """Wait for all; return the set of statuses and kinds of error."""
        return {result.status if isinstance(result, Response) else type(result) for result in self.join().values()}


def crowd(pool: HTTP2Pool, numbers: range, *, threads: int, seconds: float = 10.0, size: int = 0) -> Crowd:
    """Send `numbers` from so many threads, each one after the other, and do not wait."""

    def work(mine: range) -> None:
        for number in mine:
            try:
                started.results[number] = send(pool, number, seconds=seconds, size=size)
            except TransportError as error:
                started.results[number] = error

    started = Crowd([threading.Thread(target=work, args=(numbers[start::threads],)) for start in range(threads)])
    for thread in started.threads:
        thread.start()
    return started
