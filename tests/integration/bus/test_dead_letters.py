"""Dead letters are read without being taken away, and put back where they came from."""

import time
from datetime import UTC, datetime

import pytest

from pusher.bus.connection import connect
from pusher.bus.dead_letters import DeadLetters
from pusher.bus.publisher import BusPublisher
from pusher.bus.topology import DEAD, declare_dead, declare_queue, push_requests
from pusher.errors import BusUnavailable
from tests.integration.bus.broker import channel_to, counted, put, taken
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


def test_a_letter_that_cannot_be_read_at_all_is_one_error(bus_url: str, letters: DeadLetters) -> None:
    put(bus_url, DEAD.name, b"x", content_type=b"\xe9")
    with pytest.raises(BusUnavailable, match="the dead letters could not be read"):
        letters.read()


def test_a_broker_that_is_down_is_one_error(publisher: BusPublisher) -> None:
    with reserve_port() as holder:
        away = DeadLetters(f"amqp://127.0.0.1:{port_of(holder)}//", publisher)
        with pytest.raises(BusUnavailable, match=r"the dead letters could not be read: .*refused"):
            away.read()
