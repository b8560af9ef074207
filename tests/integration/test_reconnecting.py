"""How soon a worker is back when the broker is."""

import socket

import pytest

from tasks.app import PusherApp


class EnoughSeen(Exception):
    """Ends the attempts."""


def test_a_worker_tries_every_two_seconds_at_least_however_long_the_broker_is_away(monkeypatch):
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _: None)
    intervals: list[float] = []

    def failed(_error: Exception, interval: float) -> None:
        intervals.append(interval)
        if len(intervals) == 20:
            raise EnoughSeen

    with socket.socket() as closed:
        # Bound, so that nobody else listens there, and not listening.
        closed.bind(("127.0.0.1", 0))
        url = f"amqp://127.0.0.1:{closed.getsockname()[1]}//"
        app = PusherApp("test", broker=url, set_as_current=False)
        app.config_from_object({"broker_url": url})
        with pytest.raises(EnoughSeen):
            # As the worker calls it.
            app.connection_for_read(heartbeat=None).ensure_connection(failed, None, callback=lambda: None)
    assert min(intervals) > 0
    assert max(intervals) <= 2.0
