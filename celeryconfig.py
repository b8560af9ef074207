"""Celery's settings, and nothing else (docs/reference/settings.md). Loaded lazily by `tasks.app`."""

import os

from kombu import Exchange, Queue

from pusher.bus.connection import transport_options
from pusher.bus.tls import TLS
from pusher.errors import SettingsInvalid
from pusher.push.app import ProviderName
from pusher.settings import broker_url as _broker_url

broker_url = _broker_url(os.environ)
# Tasks are confirmed: new ones by tasks/enqueue.py, retries by tasks/confirmed.py. Nothing else may wait for that.
broker_transport_options = transport_options(broker_url, confirm=False)
try:
    # For `amqps://`: our trust, in place of Celery's.
    broker_use_ssl = TLS.of(broker_url, os.environ.get("PUSHER_CA_FILE") or None) or False
except SettingsInvalid as error:
    # One line, where any other exception would end Celery's commands with a traceback.
    raise SystemExit(f"Error: {error}") from error
broker_connection_retry_on_startup = True
broker_connection_timeout = 4
broker_connection_max_retries = None
broker_heartbeat = 10
# Producers for retries; more threads than these wait for one another.
broker_pool_limit = 10

# JSON only: a task is data, never code. No results: outcomes go to the bus and to the log.
task_serializer = "json"
accept_content = ["json"]
task_ignore_result = True
result_backend = None

# A task is acknowledged when it ended, so that a killed worker's tasks go to another one.
task_acks_late = True
task_reject_on_worker_lost = True
# A connection that broke gives its tasks back while they still run: a push marked as accepted is not sent again.
worker_cancel_long_running_tasks_on_connection_loss = False

task_default_exchange = "pusher.tasks"
task_default_exchange_type = "direct"
task_default_queue = "devices"
task_default_routing_key = "devices"
task_create_missing_queues = False
_exchange = Exchange(task_default_exchange, type="direct", durable=True)
task_queues = [
    Queue(name, exchange=_exchange, routing_key=name, durable=True)
    for name in (*(f"push.{provider}" for provider in ProviderName), "devices")
]
task_routes = {"pusher.devices.*": {"queue": "devices"}}

# A worker holds as many messages as it has threads: with more, a call would wait here while another worker is free.
worker_prefetch_multiplier = 1
# Reduced after a lost connection, it would be restored by a pool thread, which reads the event loop's connection for
# the broker's word. Two readers tear a frame apart (docs/decisions/0013): the worker hangs, with calls in its hands.
worker_enable_prefetch_count_reduction = False
worker_pool = "threads"
worker_concurrency = 100
worker_consumer = "tasks.consumer:KeepingConsumer"
# For Flower. Arguments in events are redacted by `tasks/redacted.py`.
worker_send_task_events = True
# One message more for each task, for a state that lasts milliseconds.
task_send_sent_event = False
# Logs are ours (pusher/logs.py).
worker_hijack_root_logger = False
worker_redirect_stdouts = False
