"""Device documents: learning and forgetting push objects."""

import pytest

from pusher.errors import BusUnavailable, DocumentMissing
from pusher.flows.device_document import DeviceDocument
from pusher.flows.forget_device import ForgetDevice
from pusher.flows.learn_device import LearnDevice
from pusher.registration.push_object import PushObject
from tests.support.arriving import arrival
from tests.unit.flows.samples import DEVICE, PUSH_OBJECT, TOKEN

NEWER = PushObject((("Token-ID", "newer"),))


@pytest.fixture
def learn(world):
    return LearnDevice(document=DeviceDocument(world.documents, world.bus), tokens=world.tokens)


@pytest.fixture
def forget(world):
    return ForgetDevice(document=DeviceDocument(world.documents, world.bus), tokens=world.tokens)


def registers(world, push_object=PUSH_OBJECT):
    return arrival(world.waits, token=push_object.token, device=DEVICE, digest=push_object.digest)


def document(world):
    return world.documents.read(DEVICE.database, DEVICE.device_id)


def test_the_first_learning_makes_the_document_and_announces_it(world, learn):
    learn(DEVICE, PUSH_OBJECT)
    assert document(world)["push"] == PUSH_OBJECT.to_json()
    assert document(world)["pvt_type"] == "device"
    (change,) = world.bus.changes
    assert (change.created, change.doc_id, change.rev) == (True, DEVICE.device_id, document(world)["_rev"])


def test_learning_the_same_again_changes_and_announces_nothing(world, learn):
    learn(DEVICE, PUSH_OBJECT)
    learn(DEVICE, PUSH_OBJECT)
    assert len(world.bus.changes) == 1
    assert document(world)["_rev"].startswith("1-")


def test_a_changed_token_is_written_announced_as_edited_and_leaves_the_rest_alone(world, learn):
    world.documents.save(DEVICE.database, {"_id": DEVICE.device_id, "pvt_type": "device", "name": "Ann's phone"})
    learn(DEVICE, PUSH_OBJECT)
    assert document(world)["name"] == "Ann's phone"
    assert [change.created for change in world.bus.changes] == [False]


def test_what_was_learned_is_not_looked_at_again(world, learn):
    registers(world)
    learn(DEVICE, PUSH_OBJECT)
    assert registers(world).learned == PUSH_OBJECT.digest


def test_a_task_overtaken_by_a_newer_registration_does_not_undo_it(world, learn):
    registers(world)
    registers(world, NEWER)
    learn(DEVICE, NEWER)
    learn(DEVICE, PUSH_OBJECT)
    assert document(world)["push"] == NEWER.to_json()


def test_a_change_that_was_saved_and_not_announced_is_announced_the_second_time(world, learn):
    world.bus.failures = 1
    with pytest.raises(BusUnavailable):
        learn(DEVICE, PUSH_OBJECT)
    learn(DEVICE, PUSH_OBJECT, again=True)
    assert len(world.bus.changes) == 1


def test_somebody_elses_save_in_between_is_kept(world, learn, monkeypatch):
    world.documents.save(DEVICE.database, {"_id": DEVICE.device_id, "pvt_type": "device"})
    save = world.documents.save

    def save_after_somebody_else(database, changed):
        monkeypatch.setattr(world.documents, "save", save)
        save(database, document(world) | {"name": "renamed"})
        return save(database, changed)

    monkeypatch.setattr(world.documents, "save", save_after_somebody_else)
    learn(DEVICE, PUSH_OBJECT)
    assert document(world)["name"] == "renamed"
    assert document(world)["push"] == PUSH_OBJECT.to_json()


def test_a_device_without_a_document_is_told_once_an_hour_and_not_retried(world, learn):
    world.documents.creates_devices = False
    registers(world)
    learn(DEVICE, PUSH_OBJECT)
    with pytest.raises(DocumentMissing):
        document(world)
    assert registers(world).learned == PUSH_OBJECT.digest


def test_with_redis_away_a_device_is_learned(world, learn):
    world.redis_away()
    learn(DEVICE, PUSH_OBJECT)
    assert document(world)["push"] == PUSH_OBJECT.to_json()


def test_a_dead_token_is_cleared_from_its_device_and_announced(world, learn, forget):
    registers(world)
    learn(DEVICE, PUSH_OBJECT)
    forget(DEVICE, TOKEN, world.clock.now + 1)
    assert "push" not in document(world)
    assert len(world.bus.changes) == 2
    assert world.tokens.owner(TOKEN) is None


def test_a_phone_that_came_back_after_the_token_was_reported_dead_keeps_it(world, learn, forget):
    registers(world)
    learn(DEVICE, PUSH_OBJECT)
    forget(DEVICE, TOKEN, world.clock.now - 1)
    assert document(world)["push"] == PUSH_OBJECT.to_json()


def test_a_dead_token_does_not_clear_the_one_that_took_its_place(world, learn, forget):
    registers(world)
    registers(world, NEWER)
    learn(DEVICE, NEWER)
    forget(DEVICE, TOKEN, world.clock.now + 1)
    assert document(world)["push"] == NEWER.to_json()


def test_after_forgetting_the_same_token_is_learned_again_when_the_phone_brings_it(world, learn, forget):
    registers(world)
    learn(DEVICE, PUSH_OBJECT)
    forget(DEVICE, TOKEN, world.clock.now + 1)
    assert registers(world).learned is None
