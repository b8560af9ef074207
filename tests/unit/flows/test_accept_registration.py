"""A reg_success is taken over by the listener."""

import time
from dataclasses import replace
from urllib.parse import quote

import pytest

from pusher.errors import BusUnavailable, MessageInvalid
from pusher.flows.accept_registration import AcceptRegistration
from pusher.flows.answer_waiting import AnswerWaiting
from pusher.flows.fail_call import wait_for
from pusher.messages.registration import Registration
from pusher.registration.user_agents import UserAgentRule
from tests.support.recorders import FixedSettings
from tests.unit.flows.samples import ACCOUNT, DEVICE, DEVICE_ID, TOKEN, notification, one_by_one

RULE = UserAgentRule.of(
    "Example",
    "^ExamplePhone",
    {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"},
)


def registration(**changes) -> Registration:
    message = {
        "Status": "Registered",
        "Expires": 600,
        "Contact": f"<sip:2001@127.0.0.1>;app-id=com.example.softphone;pn-type=firebase;pn-tok={quote(TOKEN)}",
        "User-Agent": "ExamplePhone/3.2",
        "Custom-Channel-Vars": {"Account-ID": ACCOUNT, "Authorizing-ID": DEVICE_ID},
        "Proxy-Path": "sip:127.0.0.1:15060",
    }
    return Registration.from_message(message | changes)


@pytest.fixture
def settings():
    return FixedSettings(rules=(RULE,))


@pytest.fixture
def flow(world, settings):
    return AcceptRegistration(
        settings=settings,
        waits=world.waits,
        tokens=world.tokens,
        answer_waiting=AnswerWaiting(world.waits, world.bus),
        enqueue=world.queue,
        monotonic=time.monotonic,
    )


@pytest.fixture
def accept(flow):
    return one_by_one(flow)


def wait(world, msg_id="m1", **changes):
    world.waits.add(wait_for(notification(world.clock.now, msg_id=msg_id, **changes)))


def test_every_call_that_waits_for_the_phone_is_answered_exactly_once(world, accept):
    for msg_id in ("m1", "m2", "m3"):
        wait(world, msg_id)
    accept(registration())
    accept(registration())
    assert sorted(response.msg_id for response in world.bus.responses) == ["m1", "m2", "m3"]
    assert {response.failure for response in world.bus.responses} == {None}


def test_a_call_whose_deadline_passed_is_not_answered(world, accept):
    wait(world)
    world.clock.now += 20.1
    accept(registration())
    assert world.bus.responses == []


def test_a_wake_up_registration_without_account_answers_and_teaches_nothing(world, accept):
    wait(world)
    accept(registration(**{"Custom-Channel-Vars": {}}))
    assert len(world.bus.responses) == 1
    assert world.queue.learned == []


def test_ids_that_kazoo_cannot_have_are_refused_after_the_callers_were_answered(world, accept):
    wait(world)
    with pytest.raises(MessageInvalid, match="Account-ID"):
        accept(registration(**{"Custom-Channel-Vars": {"Account-ID": "../x", "Authorizing-ID": DEVICE_ID}}))
    assert len(world.bus.responses) == 1
    assert world.queue.learned == []


def test_a_value_that_must_not_be_learned_is_refused_after_the_callers_were_answered(world, accept):
    wait(world)
    with pytest.raises(MessageInvalid, match="Token-Proxy"):
        accept(registration(**{"Proxy-Path": "sip:a\r\nX-Evil: 1"}))
    assert len(world.bus.responses) == 1
    assert world.queue.learned == []


def test_a_contact_beyond_reading_does_not_cost_the_callers_who_are_found_by_the_message(world, accept):
    wait(world)
    with pytest.raises(MessageInvalid, match="Contact"):
        accept(registration(**{"Contact": '"unterminated <sip:a@b>', "X-Token-Reg": "reg-1"}))
    assert len(world.bus.responses) == 1


def test_of_two_bindings_the_one_being_removed_teaches_nothing(world, accept):
    wait(world)
    removed = "<sip:2001@a>;pn-tok=old;expires=0"
    accept(registration(Contact=f"{removed}, <sip:2001@b>;pn-tok={quote(TOKEN)};expires=600"))
    assert len(world.bus.responses) == 1
    assert [push_object.token for _, push_object in world.queue.learned] == [TOKEN]


def test_a_contact_that_is_only_removed_answers_nobody_even_without_an_expires_field(world, accept):
    wait(world)
    accept(
        registration(Contact=f"<sip:2001@a>;pn-tok={quote(TOKEN)};expires=0", Expires=None, **{"X-Token-Reg": "reg-1"})
    )
    assert world.bus.responses == []
    assert world.queue.learned == []


def test_a_phone_without_a_rule_is_found_by_the_token_that_let_it_in(world, accept):
    wait(world)
    contact = "<sip:2001@127.0.0.1>;x-token-reg=reg-1"
    accept(registration(**{"User-Agent": "Unknown/1", "Contact": contact}))
    assert len(world.bus.responses) == 1


@pytest.mark.parametrize("changes", [{"Status": "Unregistered"}, {"Expires": 0}, {"Expires": "0"}])
def test_an_ended_registration_answers_nobody_and_teaches_nothing(world, accept, changes):
    wait(world)
    accept(registration(**changes))
    assert world.bus.responses == []
    assert world.queue.learned == []


def test_a_desk_phone_costs_no_redis_round_trip(world, accept):
    world.redis_away()
    accept(registration(**{"User-Agent": "DeskPhone/1", "Contact": "not even read"}))
    assert world.queue.learned == []


def test_a_new_token_is_handed_to_the_workers_once(world, accept):
    accept(registration())
    accept(registration())
    assert len(world.queue.learned) == 1
    device, push_object = world.queue.learned[0]
    assert device == DEVICE
    assert push_object.to_json() == {
        "Token-App": "com.example.softphone",
        "Token-Type": "firebase",
        "Token-ID": TOKEN,
        "Token-Proxy": "sip:127.0.0.1:15060",
    }


def test_a_task_that_the_broker_did_not_take_is_handed_on_with_the_redelivered_registration(world, accept):
    world.queue.away = True
    with pytest.raises(BusUnavailable):
        accept(registration())
    world.queue.away = False
    accept(registration())
    assert len(world.queue.learned) == 1


def test_an_unchanged_registration_costs_one_redis_round_trip(world, accept, monkeypatch):
    accept(registration())
    world.queue.learned.clear()
    round_trips = []
    send = world.redis.connection_pool.connection_class.send_packed_command
    monkeypatch.setattr(
        world.redis.connection_pool.connection_class,
        "send_packed_command",
        lambda self, *args, **kwargs: (round_trips.append(1), send(self, *args, **kwargs))[1],
    )
    accept(registration())
    assert len(round_trips) == 1
    assert world.queue.learned == []


def test_with_redis_away_a_registration_still_becomes_a_task(world, accept):
    world.redis_away()
    accept(registration())
    assert len(world.queue.learned) == 1


def test_with_redis_away_one_warning_tells_that_nobody_is_answered(world, accept, caplog):
    world.redis_away()
    for _ in range(3):
        accept(registration())
    assert [record.message for record in caplog.records].count("nobody can be answered, Redis is away") == 1


def test_with_settings_away_a_phone_is_still_found_by_its_registration_token(world, accept, settings):
    settings.away = True
    wait(world)
    accept(registration(Contact="<sip:a@b>;x-token-reg=reg-1"))
    assert len(world.bus.responses) == 1


def test_a_call_whose_answer_the_bus_did_not_take_waits_for_the_redelivered_registration(world, accept):
    wait(world, "m1")
    wait(world, "m2")
    world.bus.failures = 1
    with pytest.raises(BusUnavailable):
        accept(registration())
    accept(registration())
    assert sorted(response.msg_id for response in world.bus.responses) == ["m1", "m2"]


def test_a_broken_contact_is_refused_with_its_reason(accept):
    with pytest.raises(MessageInvalid, match="Contact"):
        accept(registration(Contact='"unterminated <sip:a@b>'))


def of(number, **changes):
    """Return the registration of phone `number`."""
    contact = f"<sip:{number}@127.0.0.1>;app-id=com.example.softphone;pn-type=firebase;pn-tok=token{number}"
    ids = {"Account-ID": ACCOUNT, "Authorizing-ID": f"device{number}"}
    return registration(Contact=contact, **{"Custom-Channel-Vars": ids} | changes)


def test_phones_that_registered_together_each_get_their_calls_and_are_learned(world, flow):
    for number in range(5):
        wait(world, f"m{number}", token=f"token{number}", registration_token=None)
    assert flow([of(number) for number in (0, 2, 4)]) == [None] * 3
    assert sorted(answer.msg_id for answer in world.bus.responses) == ["m0", "m2", "m4"]
    assert {waiting.msg_id for waiting in world.waits.waiting()} == {"m1", "m3"}
    assert [learned.token for _, learned in world.queue.learned] == ["token0", "token2", "token4"]


def test_what_is_wrong_with_one_registration_is_told_of_it_alone(world, flow):
    desk = registration(**{"User-Agent": "Yealink", "Contact": "<sip:1@127.0.0.1>"})
    bad = of(1, **{"Proxy-Path": "sip:a\r\nX-Evil: 1"})
    asleep = of(2, Expires=0)
    faults = flow([desk, bad, asleep, of(3)])
    assert [fault is None for fault in faults] == [True, False, True, True]
    assert [learned.token for _, learned in world.queue.learned] == ["token3"]


def test_of_a_phone_that_registered_twice_at_once_its_last_word_is_learned(world, flow):
    first, second = of(1), replace(of(1), contact=of(1).contact.replace("token1", "newer"))
    flow([first, second])
    assert [learned.token for _, learned in world.queue.learned] == ["newer"]
    assert world.tokens.latest(world.queue.learned[0][0]) == world.queue.learned[0][1].digest


def test_calls_of_all_phones_go_back_when_the_bus_takes_no_answer(world, flow):
    for number in range(3):
        wait(world, f"m{number}", token=f"token{number}", registration_token=None)
    world.bus.failures = 1
    with pytest.raises(BusUnavailable):
        flow([of(number) for number in range(3)])
    assert len(world.waits.waiting()) == 3
    assert world.queue.learned == []
    flow([of(number) for number in range(3)])
    assert sorted(answer.msg_id for answer in world.bus.responses) == ["m0", "m1", "m2"]


def test_with_redis_away_every_phone_becomes_a_task_and_nobody_is_answered(world, flow):
    world.redis_away()
    flow([of(number) for number in range(3)])
    assert len(world.queue.learned) == 3
    assert world.bus.responses == []
