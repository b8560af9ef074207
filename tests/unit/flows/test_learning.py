"""From registrations to the document: written once, and the last of them wins, whatever the workers do in between."""

import itertools
import time
from urllib.parse import quote

import pytest

from pusher.errors import DocumentMissing, DocumentsUnavailable
from pusher.flows.accept_registration import AcceptRegistration
from pusher.flows.answer_waiting import AnswerWaiting
from pusher.flows.device_document import DeviceDocument
from pusher.flows.fail_call import wait_for
from pusher.flows.forget_device import ForgetDevice
from pusher.flows.learn_device import LearnDevice
from pusher.stores import keys
from tests.support.recorders import FixedSettings
from tests.unit.flows.samples import DEVICE, notification, one_by_one
from tests.unit.flows.test_accept_registration import RULE, registration


class Device:
    """Phones that register as one device, the tasks that come of it, and the document."""

    def __init__(self, world, monkeypatch):
        self.world = world
        self.document = DeviceDocument(world.documents, world.bus)
        self.learn = LearnDevice(document=self.document, tokens=world.tokens)
        self._monkeypatch = monkeypatch
        self._accept = one_by_one(
            AcceptRegistration(
                settings=FixedSettings(rules=(RULE,)),
                waits=world.waits,
                tokens=world.tokens,
                answer_waiting=AnswerWaiting(world.waits, world.bus),
                enqueue=world.queue,
                monotonic=time.monotonic,
            )
        )

    def registers(self, token):
        """Have a phone register; return the task that comes of it, None where none does."""
        contact = f"<sip:2001@127.0.0.1>;app-id=com.example.softphone;pn-type=firebase;pn-tok={quote(token)}"
        self._accept(registration(Contact=contact))
        return self.world.queue.learned.pop() if self.world.queue.learned else None

    def has_learned(self, *tokens):
        """Have phones register and workers do what comes of it, one after the other."""
        for token in tokens:
            self.learn(*self.registers(token))

    def away(self, task, *, again=False):
        """Have a worker try `task` while nothing can be saved."""
        with self._monkeypatch.context() as patch:
            patch.setattr(self.world.documents, "save", fail)
            with pytest.raises(DocumentsUnavailable):
                self.learn(*task, again=again)

    def while_saving(self, happens):
        """Have `happens` be called when the next save begins, with what makes that save; none is made without."""
        save = self.world.documents.save

        def begin(*arguments):
            self._monkeypatch.setattr(self.world.documents, "save", save)
            return happens(lambda: save(*arguments))

        self._monkeypatch.setattr(self.world.documents, "save", begin)

    @property
    def token(self):
        """What the document holds."""
        return self.world.documents.read(DEVICE.database, DEVICE.device_id)["push"]["Token-ID"]


def fail(*_):
    raise DocumentsUnavailable("told to be away")


@pytest.fixture
def device(world, monkeypatch):
    return Device(world, monkeypatch)


def test_while_documents_are_away_a_phone_makes_one_task_and_what_that_one_writes_later_is_not_looked_at_again(device):
    task = device.registers("a")
    for attempt in range(5):
        device.away(task, again=attempt > 0)
        assert [device.registers("a") for _ in range(10)] == [None] * 10
    device.learn(*task, again=True)
    assert device.token == "a"
    assert device.registers("a") is None


def test_a_phone_whose_task_was_given_up_makes_another_one_when_ten_minutes_have_passed(world, device):
    device.away(device.registers("a"))
    lives_s = world.redis.ttl(keys.learned(DEVICE))
    assert 0 < lives_s <= 600
    world.redis.delete(keys.learned(DEVICE))
    device.has_learned("a")
    assert device.token == "a"


def test_every_attempt_of_a_task_holds_off_others_until_the_next_one(world, device):
    task = device.registers("a")
    world.redis.expire(keys.learned(DEVICE), 1)
    device.away(task)
    assert world.redis.ttl(keys.learned(DEVICE)) > 300


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("failed", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_a_phone_that_changes_back_and_forth_ends_with_its_last_token_in_whatever_order_tasks_run(
    device, order, failed
):
    device.has_learned("a")
    tasks = [device.registers(token) for token in ("b", "a", "b")]
    for number in order:
        device.learn(*tasks[number], again=number in failed)
    assert device.token == "b"
    for _ in range(3):
        task = device.registers("b")
        if task:
            device.learn(*task)
    assert (device.registers("b"), device.token) == (None, "b")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_attempts_that_failed_the_one_with_the_last_token_writes_whatever_the_order(device, order):
    device.has_learned("before")
    tasks = []
    for token in ("a", "b", "a"):
        tasks.append(device.registers(token))
        device.away(tasks[-1])
    for number in order:
        device.learn(*tasks[number], again=True)
    assert device.token == "a"


def test_two_phones_that_take_turns_each_make_their_tasks_and_the_last_one_wins(device):
    for _ in range(3):
        device.has_learned("a", "b")
        assert device.token == "b"
    tasks = [device.registers(token) for token in ("a", "b", "a", "b")]
    assert None not in tasks
    for task in reversed(tasks):
        device.learn(*task)
    assert device.token == "b"


def test_a_save_that_a_newer_registration_comes_in_between_of_is_corrected_by_the_next(device):
    """The newer one found its token in the document still, so that the save met no conflict."""
    device.has_learned("a")

    def overtaken(save):
        device.learn(*device.registers("a"))
        return save()

    older = device.registers("b")
    device.while_saving(overtaken)
    device.learn(*older)
    assert device.token == "b"
    device.has_learned("a")
    assert (device.registers("a"), device.token) == (None, "a")


def test_a_save_without_answer_that_lands_late_over_a_newer_token_is_corrected_by_the_next_registration(device):
    device.has_learned("a")
    late = []

    def unanswered(save):
        late.append(save)
        fail()

    older = device.registers("b")
    device.while_saving(unanswered)
    with pytest.raises(DocumentsUnavailable):
        device.learn(*older)
    device.learn(*device.registers("a"))
    late.pop()()
    assert (device.registers("a"), device.token) == (None, "b")
    device.learn(*older, again=True)
    device.has_learned("a")
    assert (device.registers("a"), device.token) == (None, "a")


def test_a_task_that_is_overtaken_while_it_reads_writes_and_marks_nothing(world, device, monkeypatch):
    device.has_learned("a")
    older, read = device.registers("b"), world.documents.read
    newer = []

    def overtaken(*arguments):
        monkeypatch.setattr(world.documents, "read", read)
        newer.append(device.registers("c"))
        return read(*arguments)

    monkeypatch.setattr(world.documents, "read", overtaken)
    device.learn(*older)
    assert device.token == "a"
    calls(world, "a")
    device.registers("c")
    assert len(world.bus.responses) == 1
    device.learn(*newer.pop())
    assert (device.registers("c"), device.token) == (None, "c")


def calls(world, token):
    """Have somebody wait for the phone with `token`."""
    world.waits.add(wait_for(notification(world.clock.now, token=token, registration_token=None)))


def test_a_dead_token_that_the_phone_brings_again_is_learned_though_its_task_of_before_is_still_tried(world, device):
    device.away(device.registers("a"))
    forget = ForgetDevice(document=device.document, tokens=world.tokens)
    forget(DEVICE, "a", world.clock.now + 1)
    device.has_learned("a")
    assert device.token == "a"


def test_the_token_that_calls_wait_for_is_the_one_in_the_document(world, device):
    device.has_learned("a")
    device.away(device.registers("b"))
    calls(world, "a")
    device.registers("b")
    assert len(world.bus.responses) == 1
    world.redis.delete(keys.learned(DEVICE))
    device.has_learned("b")
    calls(world, "a")
    device.registers("b")
    assert len(world.bus.responses) == 1


def test_a_device_without_document_makes_no_task_for_an_hour_and_keeps_the_token_that_kazoo_may_know(world, device):
    device.has_learned("a")
    task = device.registers("b")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.documents, "creates_devices", False)
        patch.setattr(world.documents, "read", gone)
        device.learn(*task)
    assert device.registers("b") is None
    assert 600 < world.redis.ttl(keys.learned(DEVICE)) <= 3600
    calls(world, "a")
    device.registers("b")
    assert len(world.bus.responses) == 1


def gone(*_):
    raise DocumentMissing("it is gone")
