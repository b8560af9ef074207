"""Documents in CouchDB: phones are learned there, and calls do not depend on it."""

import json
import signal
import time
from collections.abc import Iterator

import pytest

from pusher.bus.topology import CONFIGURATION
from pusher.registration.device import Device
from pusher.simulators.stage import AppKind
from tests.acceptance.system import running_system
from tests.integration.bus.broker import channel_to
from tests.support.until import until

#: Seconds after which a device task that failed several times has been tried again: they come after 1, 2, 4, 8 s.
RETRIED_S = 30.0


@pytest.fixture(scope="module")
def system(tmp_path_factory, rabbitmq, redis_server, couchdb_server):
    """Listener, worker, providers and phones, on CouchDB."""
    rabbitmq.start()
    redis_server.start()
    redis_server.flush()
    couchdb_server.start()
    couchdb_server.reset()
    with (
        rabbitmq.vhost() as bus_url,
        running_system(
            tmp_path_factory.mktemp("couchdb"), bus_url, redis_server.url, documents_url=couchdb_server.url
        ) as made,
    ):
        for kind in AppKind:
            # Settings are read and connections made.
            assert made.call(made.stage.handset(kind)).answer(10.0)
        yield made


@pytest.fixture
def couch(couchdb_server) -> Iterator:
    """CouchDB, behaving again after the test."""
    yield couchdb_server
    couchdb_server.behave()


def known(handset, couch) -> Device:
    """Make the document of the handset's device, as Kazoo does."""
    device = Device(account_id=handset.account_id, device_id=handset.device_id)
    couch.create(device.database)
    couch.put(device.database, {"_id": device.device_id, "pvt_type": "device", "name": "Ann's phone"})
    return device


def learned(handset, couch, device) -> bool:
    """Tell whether CouchDB has the handset's token, and the rest still too."""
    document = couch.get(device.database, device.device_id)
    assert document["name"] == "Ann's phone"
    return document.get("push", {}).get("Token-ID") == handset.token


def test_a_phone_is_learned_and_kazoo_is_told(system, couch):
    handset = system.stage.handset(AppKind.FIREBASE)
    device = known(handset, couch)
    with channel_to(system.bus_url) as channel:
        queue = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(queue, CONFIGURATION.name, "#")
        handset.register()
        message = until(lambda: channel.basic_get(queue, no_ack=True))
    key, body = message.delivery_info["routing_key"], json.loads(message.body)
    document = couch.get(device.database, device.device_id)
    database = device.database.replace("/", "%2F")
    assert learned(handset, couch, device)
    assert key == f"doc_edited.{database}.device.{device.device_id}"
    assert (body["Event-Category"], body["Event-Name"]) == ("configuration", "doc_edited")
    assert (body["ID"], body["Rev"], body["Type"]) == (device.device_id, document["_rev"], "device")
    assert (body["Database"], body["Account-ID"], body["Is-Soft-Deleted"]) == (database, device.account_id, False)


def test_a_phone_without_a_document_is_told_once_and_gets_none(system, couch):
    handset = system.stage.handset(AppKind.FIREBASE)
    told = f"device has no document account={handset.account_id} device={handset.device_id}"
    handset.register()
    until(lambda: told in system.log("worker"))
    for _ in range(3):
        handset.register()
    assert system.call(handset).answer(5.0)["Push-Status"] == "registered"
    assert system.log("worker").count(told) == 1
    # No task was made of the registrations that followed.
    assert system.log("listener").count(f"device={handset.device_id}") == 1


def test_while_couchdb_is_down_phones_wake_and_what_they_teach_is_written_later(system, couch):
    handset = system.stage.handset(AppKind.APPLE_KEY)
    device = known(handset, couch)
    with couch.refusing():
        began = time.monotonic()
        assert system.call(handset).answer(5.0)["Push-Status"] == "registered"
        assert time.monotonic() - began < 2.0
        until(lambda: system.log("worker").count("device task failed task=pusher.devices.learn attempt=2"))
    until(lambda: learned(handset, couch, device), seconds=RETRIED_S)


def test_a_worker_that_is_killed_once_it_has_saved_leaves_it_to_the_next_one_to_tell_kazoo(system, couch):
    handset = system.stage.handset(AppKind.FIREBASE)
    device = known(handset, couch)
    with channel_to(system.bus_url) as channel:
        queue = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(queue, CONFIGURATION.name, f"doc_edited.*.device.{device.device_id}")
        couch.misbehave("keep_answer", method="PUT", times=1)
        handset.register()
        until(lambda: learned(handset, couch, device))
        system.stop("worker", signal.SIGKILL)
        assert channel.basic_get(queue, no_ack=True) is None
        system.start_worker()
        message = until(lambda: channel.basic_get(queue, no_ack=True))
    assert json.loads(message.body)["Rev"] == couch.get(device.database, device.device_id)["_rev"]


def test_while_couchdb_refuses_to_write_a_phone_that_registers_again_and_again_makes_one_task(system, couch):
    handset = system.stage.handset(AppKind.FIREBASE)
    device = known(handset, couch)
    couch.answer(403, b'{"error":"forbidden","reason":"told to be"}', method="PUT")
    for _ in range(20):
        handset.register()
    assert system.call(handset).answer(5.0)["Push-Status"] == "registered"
    assert system.log("listener").count(f"device={handset.device_id}") == 1
    couch.behave()
    until(lambda: learned(handset, couch, device), seconds=RETRIED_S)


def test_while_couchdb_hangs_phones_wake_though_device_tasks_fill_the_worker(system, couch):
    strangers = [system.stage.handset(AppKind.FIREBASE) for _ in range(150)]
    devices = [known(stranger, couch) for stranger in strangers]
    callee = system.stage.handset(AppKind.APPLE_CERTIFICATE)
    couch.misbehave("hang")
    for stranger in strangers:
        stranger.register()
    took = []
    for _ in range(8):
        began = time.monotonic()
        assert system.call(callee).answer(10.0)["Push-Status"] == "registered"
        took.append(time.monotonic() - began)
    assert max(took) < 3.0, took
    couch.behave()
    for stranger, device in zip(strangers, devices, strict=True):
        until(lambda s=stranger, d=device: learned(s, couch, d), seconds=2 * RETRIED_S)


@pytest.mark.parametrize("fault", ["refuses", "hangs"])
def test_processes_start_without_couchdb_and_work_as_soon_as_it_is_there(system, couch, fault):
    handset = system.stage.handset(AppKind.FIREBASE)
    for name in ("listener", "worker"):
        assert system.stop(name) == 0

    def start_and_call():
        system.start_listener()
        system.start_worker()
        return system.call(handset)

    if fault == "refuses":
        with couch.refusing():
            call = start_and_call()
            until(lambda: "settings cannot be read now" in system.log("worker"))
    else:
        couch.misbehave("hang")
        call = start_and_call()
        until(lambda: "no answer within" in system.log("worker"))
        couch.behave()
    # The handset's registration is answered by the token that is waited for; its push was retried meanwhile.
    assert call.answer(20.0)["Push-Status"] == "registered"
    assert len(handset.pushed_at) == 1


def test_a_change_that_kazoo_s_own_tools_announce_counts_within_a_second_everywhere(system, couch):
    handset = system.stage.handset(AppKind.FIREBASE)
    assert system.call(handset).answer(10.0)["Push-Status"] == "registered"
    document = couch.get("system_config", "pusher")
    # The worker looks at `enabled`, the listener at User-Agents.
    document[AppKind.FIREBASE]["firebase"]["enabled"] = False
    document["default"]["User-Agents"]["New"] = {"regex": "^NewPhone", "properties": {"Token-ID": "pn-tok"}}
    rev = couch.put("system_config", document)
    body = {
        "Event-Category": "configuration",
        "Event-Name": "doc_edited",
        "ID": "pusher",
        "Type": "config",
        "Database": "system_config",
        "Rev": rev,
        "Is-Soft-Deleted": False,
        "App-Name": "sysconf",
    }
    system.stage.publisher.publish_json(CONFIGURATION, "doc_edited.system_config.config.pusher", body)
    announced = time.monotonic()
    until(lambda: system.call(handset).answer(1.0).get("Push-Reason") == "app_disabled", seconds=1.0)
    new = system.stage.handset(AppKind.APPLE_KEY)

    def known_to_the_listener() -> bool:
        new.register(**{"User-Agent": "NewPhone/1.0"})
        return f"device={new.device_id}" in system.log("listener")

    until(known_to_the_listener, seconds=1.0)
    assert time.monotonic() - announced < 2.0
