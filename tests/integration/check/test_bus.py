"""What `pusher check` sees on Kazoo's bus: exchanges, queues, the listener, the other pusher."""

import time
from collections.abc import Iterator

import kombu
import pytest

from pusher import wiring
from pusher.bus.connection import connect
from pusher.bus.delivery import Delivery
from pusher.bus.listener import Listener
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import CALLS, DEAD, EXCHANGES, PUSHES, declare_queue, push_requests
from pusher.messages import envelope
from pusher.messages.push_response import PushResponse
from pusher.push.wait import Wait
from pusher.settings import Settings
from pusher.simulators.proxy import ProxySimulator
from pusher.stores.connection import connect as connect_redis
from pusher.stores.waits import RedisWaits
from tests.integration.bus.broker import channel_to, consuming, counted, plain, put
from tests.integration.bus.relay import Relay
from tests.integration.check.checking import bad, checked, verdicts
from tests.support.child import port_of, reserve_port
from tests.support.rabbitmq import RabbitMQ
from tests.support.recorders import RecordingQueue
from tests.support.until import until
from tests.unit.cli.running import Pusher

WORKERS = ("push.apple", "push.firebase", "devices")


@pytest.fixture
def publisher(bus_url: str) -> Iterator[BusPublisher]:
    """Somebody else on the bus."""
    made = BusPublisher(bus_url, "kamailio@test")
    yield made
    made.close()


@pytest.fixture
def listener(staged: Pusher, bus_url: str, redis_url: str) -> Iterator[Listener]:
    """A listener that runs."""
    environment = staged.environment
    settings = Settings(bus_url=bus_url, redis_url=redis_url, documents_url=environment["PUSHER_DOCUMENTS_URL"])
    with wiring.Edges.of(settings) as edges:
        made = wiring.listener(edges, RecordingQueue(), RecordingQueue())
        made.start()
        assert made.wait_ready(10)
        yield made
        made.stop()


def test_everything_is_well_where_a_listener_and_workers_run(
    staged: Pusher, listener: Listener, bus_url: str, publisher: BusPublisher
) -> None:
    with (
        consuming(bus_url, plain("push.apple"), ignore, publisher=publisher),
        consuming(bus_url, plain("push.firebase"), ignore, publisher=publisher),
        consuming(bus_url, plain("devices"), ignore, publisher=publisher),
    ):
        findings = checked(staged, "--offline")
    assert bad(findings) | bad(findings, "warn") == set()
    assert {f"exchange {exchange.name}" for exchange in EXCHANGES} < set(findings)
    assert {f"queue {name}" for name in (*WORKERS, CALLS, "pusher.reg_success")} < set(findings)
    assert "RabbitMQ 3." in findings["bus"]["facts"]["broker"]
    assert 0 < findings["canary"]["facts"]["ms"] < 2000


def ignore(_: Delivery) -> None:
    """Take the message."""


def test_the_canary_leaves_no_trace(
    staged: Pusher, listener: Listener, bus_url: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert checked(staged, "--offline")["canary"]["status"] == "ok"
    assert counted(bus_url, CALLS) == counted(bus_url, DEAD.name) == 0
    with connect_redis(redis_url) as client:
        assert client.keys("*wait*") == []
    # The listener says so once, and names it by what cannot be a phone.
    [record] = [record for record in caplog.records if record.message == "push refused"]
    assert getattr(record, "fields", {})["token_type"] == "pusher-check"


def test_a_listener_that_hangs_is_told_and_its_canary_is_no_dead_letter_of_kamailio_s(
    staged: Pusher, bus_url: str, publisher: BusPublisher
) -> None:
    connect(bus_url, heartbeat_s=0).release()
    with consuming(bus_url, push_requests(1.0), ignore, publisher=publisher, prefetch=1):
        began = time.monotonic()
        findings = checked(staged, "--offline")
        assert time.monotonic() - began < 8
    assert findings["canary"]["status"] == "failed"
    assert "within 2 s" in findings["canary"]["text"]
    key = "notification.push.pusher-check.x"
    headers = {"x-pusher-reason": "expired", "x-pusher-queue": CALLS, "x-pusher-routing-key": key}
    publisher.bury(b"{}", headers, "application/json")
    assert findings_of(staged, "dead letters") == "ok"


def findings_of(pusher: Pusher, subject: str) -> str:
    """Return the status of `subject`."""
    return str(checked(pusher, "--offline")[subject]["status"])


def test_pushes_made_again_under_the_listener_is_told(staged: Pusher, listener: Listener, bus_url: str) -> None:
    with channel_to(bus_url) as channel:
        channel.exchange_delete(PUSHES.name)
    findings = checked(staged, "--offline")
    assert {"exchange pushes", "canary"} <= bad(findings)
    assert "restart the listener" in findings["exchange pushes"]["text"]
    with channel_to(bus_url) as channel:
        PUSHES(channel).declare()
    findings = checked(staged, "--offline")
    assert findings["exchange pushes"]["status"] == "ok"
    assert "does not lead to pusher.push_req" in findings["canary"]["text"]


def test_somebody_else_s_answer_is_not_taken_for_the_listener_s(
    staged: Pusher, bus_url: str, publisher: BusPublisher
) -> None:
    connect(bus_url, heartbeat_s=0).release()

    def answer(delivery: Delivery) -> None:
        asked = envelope.decode(delivery.body)
        publisher.respond(PushResponse(server_id=asked["Server-ID"], msg_id=asked["Msg-ID"], token=asked["Token-ID"]))

    with consuming(bus_url, push_requests(20.0), answer, publisher=publisher):
        findings = checked(staged, "--offline")
    assert findings["canary"]["text"] == "somebody else answers push requests: registered"


def test_without_a_listener_and_workers_that_is_what_fails_and_nothing_is_declared(
    staged: Pusher, rabbitmq: RabbitMQ
) -> None:
    vhost = staged.environment["PUSHER_BUS_URL"].rpartition("/")[2]
    declared = f'{{length(rabbit_exchange:list(<<"{vhost}">>)), length(rabbit_amqqueue:list(<<"{vhost}">>))}}'
    before = rabbitmq.eval(declared)
    findings = checked(staged, "--offline")
    assert bad(findings) == set()
    stopped = {subject for subject, found in findings.items() if found["status"] == "failed"}
    assert stopped == {"queue pusher.push_req", "queue push.apple", "queue push.firebase"}, "no call is woken"
    assert "start pusher listen" in findings["queue pusher.push_req"]["text"]
    assert findings["canary"]["facts"] == {"sent": False}
    assert rabbitmq.eval(declared) == before


def test_a_broker_short_of_memory_is_told_as_such(staged: Pusher, listener: Listener, rabbitmq: RabbitMQ) -> None:
    alarm = "{resource_limit, memory, node()}"
    rabbitmq.eval(f"rabbit_alarm:set_alarm({{{alarm}, []}})")
    try:
        findings = checked(staged, "--offline")
    finally:
        rabbitmq.eval(f"rabbit_alarm:clear_alarm({alarm})")
    assert findings["canary"]["status"] == "failed"
    assert "short of memory or disk" in findings["canary"]["text"]


def test_one_wrong_exchange_hides_none_of_the_others(staged: Pusher, bus_url: str) -> None:
    connect(bus_url, heartbeat_s=0).release()
    with channel_to(bus_url) as channel:
        channel.exchange_delete("targeted")
        channel.exchange_declare("targeted", "direct", durable=True, auto_delete=False)
        channel.exchange_delete("registrar")
        channel.exchange_declare("registrar", "direct", durable=False, auto_delete=False)
    findings = checked(staged, "--offline")
    assert bad(findings) == {"exchange targeted", "exchange registrar"}
    durable, kind = findings["exchange targeted"], findings["exchange registrar"]
    assert "received 'false' but current is 'true'" in durable["facts"]["broker_says"]
    assert "inequivalent arg 'type' for exchange 'registrar'" in kind["text"]
    assert "delete the exchange, start the listener, restart Kamailio" in durable["text"]
    assert findings["exchange configuration"]["status"] == "ok"


def test_kazoo_s_own_pusher_beside_ours_is_a_failure(staged: Pusher, bus_url: str, publisher: BusPublisher) -> None:
    shared = kombu.Queue("pusher_shared_listener", durable=False, exclusive=False, auto_delete=True)
    with consuming(bus_url, shared, ignore, publisher=publisher):
        findings = checked(staged, "--offline")
        assert bad(findings) == {"Erlang pusher"}
        assert "phones ring twice" in findings["Erlang pusher"]["text"]
    until(lambda: findings_of(staged, "Erlang pusher") == "ok")


def test_tasks_that_nobody_takes_are_counted_and_no_app_needs_some(staged: Pusher, bus_url: str) -> None:
    staged.done("maintenance", "disable-app", "com.example.softphone")
    with channel_to(bus_url) as channel:
        channel.queue_declare("push.apple", durable=True, auto_delete=False)
    for _ in range(3):
        put(bus_url, "push.apple")
    findings = checked(staged, "--offline")
    text = "nobody takes from it, 3 wait: start a worker with -Q push.apple"
    assert (findings["queue push.apple"]["status"], findings["queue push.apple"]["text"]) == ("failed", text)
    assert findings["queue push.apple"]["facts"] == {"exists": True, "messages": 3, "consumers": 0}
    assert findings["queue push.firebase"]["status"] == "ok"
    assert findings["queue push.firebase"]["facts"]["exists"] is False


def test_a_queue_that_grows_under_its_consumers_is_told(staged: Pusher, bus_url: str, publisher: BusPublisher) -> None:
    with channel_to(bus_url) as channel:
        channel.queue_declare("push.apple", durable=True, auto_delete=False)
        channel.basic_qos(0, 1, False)
        channel.basic_consume("push.apple", callback=lambda _: None)
        for _ in range(102):
            publisher.publish("", "push.apple", b"{}")
        until(lambda: counted(bus_url, "push.apple") == 101)
        finding = checked(staged, "--offline")["queue push.apple"]
    assert (finding["status"], finding["facts"]["consumers"]) == ("warn", 1)


def test_celery_s_broker_is_looked_at_where_it_is_another(staged: Pusher, rabbitmq: RabbitMQ) -> None:
    with rabbitmq.vhost() as url:
        with channel_to(url) as channel:
            channel.queue_declare("devices", durable=True, auto_delete=False)
        findings = checked(staged, "--offline", PUSHER_BROKER_URL=url)
    assert findings["tasks"]["status"] == "ok"
    assert findings["queue devices"]["facts"]["exists"] is True


@pytest.mark.parametrize(
    ("reason", "problem", "queue", "text"),
    [
        ("message_invalid", "body: is not JSON", CALLS, "2 push requests that are no JSON in the last day"),
        ("message_invalid", "Token-App: is missing", CALLS, "2 push requests whose Token-App cannot be used"),
        ("message_invalid", "Contact: is missing", "pusher.reg_success", "2 registrations whose Contact cannot be"),
        ("expired", "", CALLS, "no listener ran, or it was too slow"),
        ("rejected", "", CALLS, "their routing key is not UTF-8"),
        ("internal_error", "KeyError", CALLS, "the listener's log has a traceback"),
        ("maxlen", "", "other", "2 messages with the reason maxlen"),
    ],
)
def test_dead_letters_are_told_by_kind_with_cause_and_remedy(
    staged: Pusher, publisher: BusPublisher, bus_url: str, reason: str, problem: str, queue: str, text: str
) -> None:
    headers = {"x-pusher-reason": reason, "x-pusher-problem": problem, "x-pusher-queue": queue}
    for body in (b"1", b"2"):
        publisher.bury(body, headers | {"x-pusher-routing-key": "notification.push.apple.x"}, "application/json")
    old = headers | {"x-pusher-at": "2024-01-31T12:00:00+00:00"}
    publisher.bury(b"3", old, "application/json")
    finding = checked(staged, "--offline")["dead letters"]
    assert (finding["status"], finding["facts"]["messages"]) == ("warn", 2)
    assert text in finding["text"]
    letter = finding["facts"]["letter_id"]
    assert f"pusher dead show {letter}" in finding["text"]
    staged.done("dead", "show", letter)
    # What was read is where it was.
    assert counted(bus_url, DEAD.name) == 3


def test_a_request_that_rabbitmq_let_expire_is_a_dead_letter_of_today(
    staged: Pusher, bus_url: str, publisher: BusPublisher
) -> None:
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(0.05))
    publisher.publish(PUSHES, "notification.push.apple.x", b"{}")
    until(lambda: counted(bus_url, DEAD.name) == 1)
    finding = checked(staged, "--offline")["dead letters"]
    assert finding["text"].startswith("1 push requests that nobody took in time in the last day: ")


def test_letters_of_other_days_are_no_news(staged: Pusher, publisher: BusPublisher) -> None:
    headers = {"x-pusher-reason": "message_invalid", "x-pusher-at": "2024-01-31T12:00:00+00:00"}
    publisher.bury(b"1", headers, "application/json")
    finding = checked(staged, "--offline")["dead letters"]
    assert (finding["status"], finding["text"]) == ("ok", "none of the last day in pusher.dead, 1 in all")


def waiting(redis_url: str, server_id: str) -> None:
    """Have a call of `server_id` wait."""
    now = time.time()
    wait = Wait(
        push_id=f"push-{server_id}",
        server_id=server_id,
        msg_id="m",
        token=f"token-{server_id}",
        registration_token=None,
        provider="apple",
        app_id="org.example.app",
        call_id="c",
        received_at=now,
        expires_at=now + 60,
    )
    with connect_redis(redis_url) as client:
        RedisWaits(client).add(wait)


def test_a_proxy_that_cannot_be_answered_any_more_is_named(staged: Pusher, bus_url: str, redis_url: str) -> None:
    proxy = ProxySimulator(bus_url)
    proxy.start()
    try:
        waiting(redis_url, proxy.server_id)
        assert findings_of(staged, "waiting calls") == "ok"
        waiting(redis_url, "kamailio@gone-<1>-targeted-0")
        finding = checked(staged, "--offline")["waiting calls"]
        assert finding["status"] == "warn"
        assert finding["facts"] == {"calls": 2, "proxies": 2, "deaf": ["kamailio@gone-<1>-targeted-0"]}
        # What showed that it hears is no answer to any of its calls.
        call = proxy.call(token="t", token_type="apple", app_id="a")
        assert call.answers == []
    finally:
        proxy.close()


def test_a_broker_that_is_away_or_refuses_or_hangs_fails_the_bus_alone(staged: Pusher, bus_url: str) -> None:
    with reserve_port() as holder, Relay(bus_url) as relay:
        relay.freeze()
        for url, words in (
            (f"amqp://u:geheim@127.0.0.1:{port_of(holder)}//", "refused"),
            (bus_url.replace("guest:guest", "guest:geheim"), "ACCESS_REFUSED"),
            (relay.url.replace("guest:guest", "guest:geheim"), "not reached"),
        ):
            began = time.monotonic()
            findings = checked(staged, "--offline", PUSHER_BUS_URL=url, PUSHER_BROKER_URL=bus_url)
            assert time.monotonic() - began < 12
            assert bad(findings) == {"bus"}
            assert words in findings["bus"]["text"]
            assert "geheim" not in str(findings)
            assert findings["tasks"]["status"] == "ok"


def test_lines_for_people_say_the_same(staged: Pusher, listener: Listener) -> None:
    findings = checked(staged, "--offline")
    words = {"ok": "ok", "warn": "warn", "failed": "FAILED"}
    said = verdicts(staged("check", "--offline").stdout)
    assert said == {subject: words[finding["status"]] for subject, finding in findings.items()}
