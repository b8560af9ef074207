"""Dead letters are read without being taken away, and put back where they came from."""

import time
from datetime import UTC, datetime

import pytest

from pusher.bus.burial import MAX_KEPT
from pusher.bus.connection import connect
from pusher.bus.dead_letters import DeadLetters
from pusher.bus.delivery import Delivery
from pusher.bus.inspection import inspecting
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, declare_dead, declare_queue, push_requests
from pusher.clock import Deadline
from pusher.errors import BusUnavailable, MessageInvalid
from tests.integration.bus.broker import (
    UNREADABLE_PROPERTIES,
    Handled,
    channel_to,
    consuming,
    counted,
    put,
    put_raw,
    taken,
)
from tests.support.child import port_of, reserve_port
from tests.support.until import until


@pytest.fixture
def letters(bus_url: str, publisher: BusPublisher) -> DeadLetters:
    """The dead letters of an empty broker, on which the queue of push requests stands."""
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(20.0))
    return DeadLetters(bus_url, publisher)


def bury(publisher: BusPublisher, body: bytes, *, key: str = "notification.push.apple.t", at: str = "A") -> None:
    """Bury a push_req as a consumer does."""
    headers = {
        "x-pusher-reason": "message_invalid",
        "x-pusher-problem": "body: is not JSON",
        "x-pusher-queue": "pusher.push_req",
        "x-pusher-exchange": "pushes",
        "x-pusher-routing-key": key,
        "x-pusher-at": at,
    }
    publisher.bury(body, headers, "text/strange")


def refuse(_: Delivery) -> None:
    """Understand nothing."""
    raise MessageInvalid("body", "is not JSON")


def test_there_are_none_where_nothing_was_buried(bus_url: str, publisher: BusPublisher) -> None:
    assert DeadLetters(bus_url, publisher).read() == []


def test_reading_takes_nothing_away_and_keeps_the_order(
    bus_url: str, publisher: BusPublisher, letters: DeadLetters
) -> None:
    for number in range(50):
        bury(publisher, str(number).encode())
    for _ in range(3):
        assert [letter.body for letter in letters.read()] == [str(number).encode() for number in range(50)]
    until(lambda: counted(bus_url, DEAD.name) == 50)


def test_a_letter_tells_where_it_came_from_and_hides_its_token(publisher: BusPublisher, letters: DeadLetters) -> None:
    bury(publisher, b"secret body", key="notification.push.apple.secret-token")
    [letter] = letters.read()
    assert (letter.reason, letter.problem, letter.queue, letter.exchange, letter.at) == (
        *("message_invalid", "body: is not JSON", "pusher.push_req", "pushes", "A"),
    )
    assert "secret" not in repr(letter)


def test_the_name_of_a_letter_is_the_same_every_time_and_different_for_different_letters(
    publisher: BusPublisher, letters: DeadLetters
) -> None:
    bury(publisher, b"one")
    bury(publisher, b"two")
    bury(publisher, b"one", key="notification.push.apple.other")
    bury(publisher, b"one", at="B")
    names = [letter.letter_id for letter in letters.read()]
    assert len(set(names)) == 4
    letters.requeue(lambda letter: letter.letter_id == names[0])
    bury(publisher, b"one")
    assert [letter.letter_id for letter in letters.read()] == [*names[1:], names[0]]


def test_a_letter_goes_back_to_its_exchange_under_its_key(
    bus_url: str, publisher: BusPublisher, letters: DeadLetters
) -> None:
    for body in (b"one", b"two\xff", b"three"):
        bury(publisher, body, key="notification.push.apple.t.dots")
    assert letters.requeue(lambda letter: letter.body != b"one") == 2
    assert [letter.body for letter in letters.read()] == [b"one"]
    back = [taken(bus_url, "pusher.push_req") for _ in range(2)]
    assert [message.body for message in back] == [b"two\xff", b"three"]
    for message in back:
        assert message.delivery_info["exchange"] == "pushes"
        assert message.delivery_info["routing_key"] == "notification.push.apple.t.dots"
        assert message.properties["content_type"] == "text/strange"
        assert "x-death" not in message.properties.get("application_headers", {})


def test_a_request_that_came_too_late_tells_so_and_goes_back_too(bus_url: str, publisher: BusPublisher) -> None:
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_queue(connection, push_requests(0.3))
    letters = DeadLetters(bus_url, publisher)
    put(bus_url, "notification.push.apple.t", b"late", exchange="pushes")
    [letter] = until(letters.read)
    assert (letter.reason, letter.queue, letter.exchange) == ("expired", "pusher.push_req", "pushes")
    assert letter.routing_key == "notification.push.apple.t"
    died_at = datetime.fromisoformat(letter.at).replace(tzinfo=UTC).timestamp()
    assert abs(died_at - time.time()) < 10
    assert letters.read() == [letter]
    assert letters.requeue(lambda _: True) == 1
    assert taken(bus_url, "pusher.push_req").body == b"late"


def test_a_letter_that_no_queue_would_take_stays_where_it_is(
    bus_url: str, publisher: BusPublisher, letters: DeadLetters
) -> None:
    """The broker confirms what it can route nowhere, and drops it."""
    with channel_to(bus_url) as channel:
        channel.queue_delete("pusher.push_req")
    bury(publisher, b"kept")
    with pytest.raises(BusUnavailable, match="NO_ROUTE"):
        letters.requeue(lambda _: True)
    assert [letter.body for letter in letters.read()] == [b"kept"]


def test_letters_that_others_wrote_are_read_whatever_their_headers_say(
    bus_url: str, publisher: BusPublisher, letters: DeadLetters
) -> None:
    with connect(bus_url, heartbeat_s=0) as connection:
        declare_dead(connection)
    for headers in (
        {},
        {"x-death": "text"},
        {"x-death": [1]},
        {"x-death": [{"routing-keys": 7, "time": 8, "reason": 9}]},
        {"x-pusher-routing-key": 5, "x-pusher-at": [1], "x-pusher-problem": {"a": 1}, "x-pusher-queue": b"\xff"},
    ):
        put(bus_url, DEAD.name, b"x", application_headers=headers)
    put(bus_url, DEAD.name, rb"\ud83d", content_encoding="unicode_escape")
    found = letters.read()
    assert [letter.reason for letter in found] == ["unknown"] * 6
    assert found[-1].body == b"\xed\xa0\xbd"
    assert {(letter.at, letter.exchange, letter.routing_key) for letter in found} == {("-", "", "")}


@pytest.mark.parametrize("properties", UNREADABLE_PROPERTIES.values(), ids=UNREADABLE_PROPERTIES)
def test_a_letter_with_properties_that_cannot_be_read_hides_none_of_the_others(
    bus_url: str, publisher: BusPublisher, letters: DeadLetters, properties: bytes
) -> None:
    bury(publisher, b"before")
    put_raw(bus_url, DEAD.name, b"strange", properties)
    put_raw(bus_url, DEAD.name, b"", properties)
    bury(publisher, b"behind")
    for _ in range(2):
        found = letters.read()
        assert [letter.body for letter in found] == [b"before", b"strange", b"", b"behind"]
        assert (found[1].reason, found[1].can_return) == ("unreadable", False)
        assert found[1].problem.startswith("its properties cannot be read (")
    assert letters.requeue(lambda _: True) == 2
    assert [letter.body for letter in letters.read()] == [b"strange", b""]


def test_a_letter_whose_delivery_cannot_be_read_hides_none_of_the_others(
    bus_url: str, publisher: BusPublisher, letters: DeadLetters
) -> None:
    with channel_to(bus_url) as channel:
        channel.queue_bind(DEAD.name, "pushes", "key.*")
    bury(publisher, b"before")
    put(bus_url, b"key.\xe9", b"strange", exchange="pushes")
    bury(publisher, b"behind")
    found = letters.read()
    assert [letter.body for letter in found] == [b"before", b"", b"behind"]
    assert (found[1].reason, found[1].problem) == ("unreadable", "its delivery cannot be read (UnicodeDecodeError)")
    with inspecting(bus_url) as look:
        seen = look.dead_letters(3, Deadline.after(0.5))
    assert [letter.body for letter in seen] == [b"before", b"behind"]
    assert letters.requeue(lambda _: True) == 2
    until(lambda: counted(bus_url, DEAD.name) == 1)


def test_of_a_message_without_end_the_beginning_is_kept_and_does_not_go_back(
    bus_url: str, publisher: BusPublisher, letters: DeadLetters
) -> None:
    with consuming(bus_url, push_requests(20.0), Handled(refuse), publisher=publisher):
        put(bus_url, "notification.push.apple.t", b"x" * 3_000_000, exchange="pushes")
        until(lambda: counted(bus_url, DEAD.name) == 1)
    [letter] = letters.read()
    assert (len(letter.body), letter.size, letter.can_return) == (MAX_KEPT, 3_000_000, False)
    assert letters.requeue(lambda _: True) == 0
    assert letters.read() == [letter]


def test_a_broker_that_is_down_is_one_error(publisher: BusPublisher) -> None:
    with reserve_port() as holder:
        away = DeadLetters(f"amqp://127.0.0.1:{port_of(holder)}//", publisher)
        with pytest.raises(BusUnavailable, match=r"the dead letters could not be read: .*refused"):
            away.read()
