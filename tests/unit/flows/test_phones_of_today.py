"""A reg_success of a phone that speaks RFC 8599: learned without a rule, or counted with the reason why not."""

import logging

import pytest

from pusher.errors import BusUnavailable, MessageInvalid
from pusher.flows.accept_registration import AcceptRegistration
from pusher.flows.answer_waiting import AnswerWaiting
from pusher.flows.device_document import DeviceDocument
from pusher.flows.fail_call import wait_for
from pusher.flows.learn_device import LearnDevice
from pusher.messages.registration import Registration
from pusher.push.app import AppleApp, ProviderName, TokenKey
from pusher.registration.rfc8599 import RefusalReason
from tests.support.recorders import FixedSettings
from tests.unit.flows.samples import ACCOUNT, DEVICE, DEVICE_ID, notification, one_by_one

APP = "org.example.app.voip"
OLD, NEW = "0a" * 32, "1b" * 32
KEY = TokenKey(key_id="ABCDE12345", team_id="TEAM123456", private_key="k")
OURS = "TEAM123456.org.example.app.voip"
AMBIGUOUS = "TEAM123456.org.example.app.voip&remote"


class Steady:
    """A steady clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def steady():
    return Steady()


@pytest.fixture
def settings():
    return FixedSettings(apps={(APP, ProviderName.APPLE): AppleApp(app_id=APP, token_key=KEY)})


@pytest.fixture
def accept(world, settings, steady):
    flow = AcceptRegistration(
        settings=settings,
        waits=world.waits,
        tokens=world.tokens,
        answer_waiting=AnswerWaiting(world.waits, world.bus),
        enqueue=world.queue,
        monotonic=steady,
    )
    return one_by_one(flow)


def registration(prid=NEW, param=OURS, provider="apns", **changes) -> Registration:
    params = {"pn-provider": provider, "pn-param": param, "pn-prid": prid}
    written = ";".join(f"{name}={value}" for name, value in params.items() if value is not None)
    message = {
        "Status": "Registered",
        "Contact": f"<sip:2001@127.0.0.1;{written};transport=tls>",
        "User-Agent": "ExamplePhone/3.2",
        "Custom-Channel-Vars": {"Account-ID": ACCOUNT, "Authorizing-ID": DEVICE_ID},
        "Proxy-Path": "sip:127.0.0.1:15060",
    }
    return Registration.from_message(message | changes)


@pytest.fixture
def learned(world, accept):
    """A phone whose document holds `OLD`."""
    accept(registration(OLD))
    LearnDevice(document=DeviceDocument(world.documents, world.bus), tokens=world.tokens)(*world.queue.learned.pop())


def wait(world, token, msg_id="m1"):
    world.waits.add(wait_for(notification(world.clock.now, msg_id=msg_id, token=token, registration_token=None)))


def answered(world):
    return sorted(response.msg_id for response in world.bus.responses)


def refusals(caplog):
    """The lines about phones that were not learned, as fields."""
    return [record.fields | {"level": record.levelname} for record in caplog.records if hasattr(record, "fields")]


def test_a_phone_that_no_rule_knows_is_learned_and_its_callers_are_answered(world, accept):
    wait(world, NEW)
    accept(registration(f"{NEW}:voip"))
    assert answered(world) == ["m1"]
    assert [(device, learned.to_json()) for device, learned in world.queue.learned] == [
        (
            DEVICE,
            {"Token-App": APP, "Token-Type": "apple", "Token-ID": NEW, "Token-Proxy": "sip:127.0.0.1:15060"},
        )
    ]


@pytest.mark.usefixtures("learned")
def test_a_phone_that_wakes_with_a_new_token_answers_those_who_wait_for_the_old_one(world, accept):
    wait(world, OLD, "m1")
    wait(world, OLD, "m2")
    accept(registration(NEW))
    assert answered(world) == ["m1", "m2"]
    assert [push_object.token for _, push_object in world.queue.learned] == [NEW]


@pytest.mark.usefixtures("learned")
def test_a_call_for_the_old_token_that_the_bus_did_not_take_is_answered_with_the_redelivered_registration(
    world, accept
):
    wait(world, OLD, "m1")
    wait(world, OLD, "m2")
    world.bus.failures = 1
    with pytest.raises(BusUnavailable):
        accept(registration(NEW))
    accept(registration(NEW))
    assert answered(world) == ["m1", "m2"]


@pytest.mark.usefixtures("learned")
def test_until_the_new_token_is_written_every_call_for_the_old_one_is_answered(world, accept):
    for msg_id in ("m1", "m2", "m3"):
        wait(world, OLD, msg_id)
        accept(registration(NEW))
    assert answered(world) == ["m1", "m2", "m3"]


@pytest.mark.usefixtures("learned")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"param": "TEAM123456.org.stranger.voip"}, RefusalReason.UNKNOWN_APP),
        ({"prid": f"{NEW}&{OLD}", "param": AMBIGUOUS}, RefusalReason.AMBIGUOUS_TOKENS),
        ({"param": "org"}, RefusalReason.MALFORMED_PARAM),
        ({"provider": "webpush"}, RefusalReason.UNSUPPORTED_PROVIDER),
        ({"prid": "a%00"}, RefusalReason.UNSAFE_VALUE),
        ({"prid": None}, RefusalReason.NO_TOKEN),
        ({"provider": ""}, RefusalReason.CAPABILITY_QUERY),
    ],
)
def test_a_refused_phone_is_awake_all_the_same_its_callers_are_answered_and_its_document_stays(
    world, accept, caplog, changes, reason
):
    wait(world, OLD)
    caplog.set_level(logging.INFO, "pusher.flows")
    caplog.clear()
    accept(registration(**changes))
    assert answered(world) == ["m1"]
    assert world.queue.learned == []
    assert [line["reason"] for line in refusals(caplog) if "reason" in line] == [reason]
    assert world.tokens.owner(OLD).device == DEVICE


def test_callers_of_an_unknown_app_s_phone_are_found_by_its_token_without_a_device(world, accept):
    wait(world, NEW)
    accept(registration(param="T.org.stranger.voip", **{"Custom-Channel-Vars": {}}))
    assert answered(world) == ["m1"]


def test_a_refused_phone_without_token_and_device_costs_no_redis_round_trip(world, accept, caplog):
    world.redis_away()
    accept(registration(provider="webpush", **{"Custom-Channel-Vars": {}}))
    assert [line["reason"] for line in refusals(caplog)] == [RefusalReason.UNSUPPORTED_PROVIDER]


def test_what_is_refused_is_told_once_a_minute_for_each_reason_with_how_often_it_came(accept, steady, caplog):
    caplog.set_level(logging.INFO, "pusher.flows")
    for _ in range(1000):
        accept(registration(provider="webpush"))
        accept(registration(param="TEAM123456.org.stranger.voip"))
    told = [(line["reason"], line["times"]) for line in refusals(caplog)]
    assert told == [("unsupported_provider", 1), ("unknown_app", 1)]
    steady.now += 60.0
    accept(registration(provider="webpush"))
    assert refusals(caplog)[-1] == {
        "reason": "unsupported_provider",
        "provider": "webpush",
        "account": ACCOUNT,
        "device": DEVICE_ID,
        "times": 1000,
        "detail": "No push service is known by this pn-provider.",
        "level": "WARNING",
    }
    accept(registration(provider="webpush"))
    assert len(refusals(caplog)) == 3


def test_the_line_about_an_unknown_app_names_it_and_shows_no_token(accept, caplog):
    accept(registration(param="TEAM123456.org.stranger.voip"))
    (line,) = refusals(caplog)
    assert line["app"] == "org.stranger.voip"
    assert NEW not in str(caplog.records[0].__dict__)


@pytest.mark.parametrize("changes", [{"provider": ""}, {"prid": None}])
def test_a_phone_that_only_asks_or_wants_no_pushes_is_no_warning(accept, caplog, changes):
    caplog.set_level(logging.INFO, "pusher.flows")
    accept(registration(**changes))
    assert [line["level"] for line in refusals(caplog)] == ["INFO"]


def test_refused_parameters_never_make_a_dead_letter_but_an_unreadable_contact_does(accept):
    accept(registration(prid="%00%0D%0A", param="%FF", provider="%1B"))
    with pytest.raises(MessageInvalid, match="Contact"):
        accept(registration(Contact="<sip:u@h;pn-provider=fcm"))


def test_an_unchanged_phone_costs_one_redis_round_trip(world, accept, monkeypatch):
    accept(registration())
    world.queue.learned.clear()
    round_trips = []
    connection = world.redis.connection_pool.connection_class
    send = connection.send_packed_command
    monkeypatch.setattr(
        connection, "send_packed_command", lambda *args, **kwargs: (round_trips.append(1), send(*args, **kwargs))[1]
    )
    accept(registration())
    assert (len(round_trips), world.queue.learned) == (1, [])
