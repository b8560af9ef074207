"""Which connections wait for the broker's confirmation (docs/decisions/0013)."""

from tasks.app import PusherApp


def test_tasks_are_published_with_confirmation_and_events_without():
    app = PusherApp("test", broker="amqp://127.0.0.1:1//", set_as_current=False)
    app.config_from_object({"broker_transport_options": {"confirm_publish": False}, "broker_pool_limit": 7})
    producers = app.amqp.producer_pool
    assert producers.connections.connection.transport_options["confirm_publish"] is True
    assert producers.limit == 7
    for connection in (app.connection_for_write(), app.connection_for_read()):
        assert connection.transport_options["confirm_publish"] is False
