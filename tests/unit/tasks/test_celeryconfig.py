"""Celery's settings: which queues there are, who publishes where, and that no task is lost or run as code."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from kombu import Queue
from kombu.utils.json import dumps

import celeryconfig
from pusher.push.app import ProviderName
from pusher.settings import DEFAULT_BUS_URL


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Import it anew with an environment of the test's own."""

    def imported(**environment: str) -> ModuleType:
        for name in ("PUSHER_BUS_URL", "PUSHER_BROKER_URL", "PUSHER_CA_FILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return importlib.reload(celeryconfig)

    yield imported
    monkeypatch.undo()
    importlib.reload(celeryconfig)


def test_the_broker_is_the_bus_unless_there_is_another(load) -> None:
    assert load().broker_url == DEFAULT_BUS_URL
    assert load(PUSHER_BUS_URL="amqp://bus").broker_url == "amqp://bus"
    assert load(PUSHER_BUS_URL="amqp://bus", PUSHER_BROKER_URL="amqp://broker").broker_url == "amqp://broker"
    assert load(PUSHER_BROKER_URL="").broker_url == DEFAULT_BUS_URL


def test_a_broker_over_tls_is_trusted_as_all_others(load, tmp_path: Path) -> None:
    assert load(PUSHER_BROKER_URL="amqp://broker").broker_use_ssl is False
    tls = load(PUSHER_BROKER_URL="amqps://broker", PUSHER_CA_FILE="").broker_use_ssl
    assert (tls.server_name, tls.context.check_hostname) == ("broker", True)
    # `celery inspect stats` shows it.
    assert dumps({"ssl": tls}) == '{"ssl": {"server_name": "broker"}}'
    with pytest.raises(SystemExit, match=r"^Error: PUSHER_CA_FILE: "):
        load(PUSHER_BROKER_URL="amqps://broker", PUSHER_CA_FILE=str(tmp_path / "none.pem"))


def test_there_is_a_durable_queue_for_each_provider_and_one_for_devices(load) -> None:
    queues: list[Queue] = load().task_queues
    assert {queue.name for queue in queues} == {"push.apple", "push.firebase", "devices"}
    assert {f"push.{provider}" for provider in ProviderName} < {queue.name for queue in queues}
    for queue in queues:
        assert queue.durable
        assert not queue.auto_delete
        assert queue.routing_key == queue.name
        assert (queue.exchange.name, queue.exchange.type, queue.exchange.durable) == ("pusher.tasks", "direct", True)


def test_device_tasks_go_to_their_queue_and_no_other_queue_comes_into_being(load) -> None:
    config = load()
    assert config.task_routes == {"pusher.devices.*": {"queue": "devices"}}
    assert config.task_create_missing_queues is False
    assert (config.task_default_queue, config.task_default_routing_key) == ("devices", "devices")


def test_a_task_is_json_and_leaves_no_result(load) -> None:
    config = load()
    assert config.accept_content == ["json"]
    assert config.task_serializer == "json"
    assert config.task_ignore_result is True
    assert config.result_backend is None


def test_a_task_is_acknowledged_when_it_ended(load) -> None:
    config = load()
    assert config.task_acks_late is True
    assert config.task_reject_on_worker_lost is True
    assert config.worker_cancel_long_running_tasks_on_connection_loss is False
    assert config.worker_prefetch_multiplier == 1
    assert config.worker_enable_prefetch_count_reduction is False


def test_workers_are_threads_that_look_after_their_connection(load) -> None:
    config = load()
    assert config.worker_pool == "threads"
    assert config.broker_heartbeat == 10
    assert config.broker_connection_max_retries is None
    assert config.broker_connection_retry_on_startup is True
    assert not config.broker_transport_options["confirm_publish"]
    assert config.broker_transport_options["read_timeout"] == 4.0
    assert load(PUSHER_BROKER_URL="memory://x").broker_transport_options == {"polling_interval": 0.01}


def test_flower_sees_tasks_and_logs_stay_ours(load) -> None:
    config = load()
    assert config.worker_send_task_events is True
    # A second message for each call, and a second wait for the broker, on the way to the phone.
    assert config.task_send_sent_event is False
    assert config.worker_hijack_root_logger is False
    assert config.worker_redirect_stdouts is False
