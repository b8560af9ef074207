"""The broker goes and comes back: Kamailio and Pusher find one another again."""

from pusher.simulators.stage import AppKind
from tests.acceptance.kamailio.lab import Flavour, Lab
from tests.support.rabbitmq import RabbitMQ
from tests.support.until import until


def back(lab: Lab, rabbitmq: RabbitMQ) -> None:
    """Start the broker, and wait until Kamailio is back on the bus."""
    rabbitmq.start()
    until(lab.on_the_bus, seconds=20, what="Kamailio is back on the bus")
    lab.kamailio.complaints()


def test_after_a_restart_of_the_broker_the_next_call_is_woken(lab, rabbitmq):
    before, after = lab.phone(AppKind.APPLE_KEY), lab.phone(AppKind.FIREBASE)
    sleeping = lab.phone(AppKind.APPLE_KEY, wakes=False)
    assert lab.call(before).outcome().status == 200
    waiting = lab.call(sleeping, wake_window_s=5)
    until(lambda: sleeping.pushed_at)
    consuming = lab.system.log("listener").count(" INFO consuming ")
    rabbitmq.stop()
    # While the broker is away, calls to sleeping phones wait for nothing, but not longer than their window.
    unheard = [lab.call(after, wake_window_s=1).outcome() for _ in range(2)]
    assert [outcome.status for outcome in unheard] == [480, 480]
    assert all(outcome.final.after_s < 2 for outcome in unheard)
    # A call whose push is out goes on by the REGISTER itself, where the flavour allows it.
    assert sleeping.register() == 200
    assert waiting.outcome().status == (200 if lab.flavour is Flavour.RESUMES_ON_REGISTER else 480)
    # And a phone that is there is called as ever.
    assert lab.call(sleeping).outcome().status == 200
    back(lab, rabbitmq)
    until(lambda: lab.system.log("listener").count(" INFO consuming ") >= consuming + 3, seconds=20)
    assert lab.call(after).outcome().status == 200


def test_calls_made_while_pusher_is_away_do_not_make_kamailio_dumb(lab, rabbitmq):
    phone = lab.phone(AppKind.APPLE_KEY)
    lab.system.stop("listener")
    rabbitmq.stop()
    back(lab, rabbitmq)
    # One for each of the lab's channels: a missing exchange costs a channel a call.
    calls = [lab.call(phone, wake_window_s=1) for _ in range(6)]
    assert [call.outcome().status for call in calls] == [480] * 6
    lab.system.start_listener()
    assert lab.call(phone).outcome().status == 200
