"""What was seen stays as it was, and can be read while more is written."""

from pusher.simulators.ledger import Ledger, ReceivedRequest, SeenConnection, Violation
from pusher.simulators.misbehaviour import Answer


def request(stream_id: int) -> ReceivedRequest:
    return ReceivedRequest(
        connection_id=1,
        stream_id=stream_id,
        at=1.0,
        method="POST",
        path="/3/device/aa11",
        headers=(("apns-id", "one"), ("apns-id", "two")),
        body=b'{"token": "bb22"}',
    )


def test_answer_is_noted_at_its_request_and_leaves_earlier_readings_alone() -> None:
    ledger = Ledger()
    ledger.request_received(request(1))
    before = ledger.requests
    ledger.request_answered(request(1), Answer(status=200))

    assert before[0].answer is None
    assert [seen.answer for seen in ledger.requests] == [Answer(status=200)]


def test_oldest_requests_make_room() -> None:
    ledger = Ledger(requests_kept=2)
    for stream_id in (1, 3, 5):
        ledger.request_received(request(stream_id))
    ledger.request_answered(request(1), Answer(status=200))

    assert [seen.stream_id for seen in ledger.requests] == [3, 5]


def test_connection_is_followed_from_opening_to_closing() -> None:
    ledger = Ledger()
    connection_id = ledger.connection_opened(10.0, "CN=phone")
    ledger.stream_opened(connection_id, 1)
    ledger.stream_opened(connection_id, 2)
    ledger.stream_opened(connection_id, 1)
    ledger.connection_closed(connection_id, 20.0)

    assert ledger.connections == [
        SeenConnection(
            connection_id=1,
            opened_at=10.0,
            closed_at=20.0,
            client_subject="CN=phone",
            streams=3,
            max_concurrent=2,
        )
    ]


def test_violations_are_kept_in_order() -> None:
    ledger = Ledger()
    ledger.violated(1, 3, "stream over limit")

    assert ledger.violations == [Violation(connection_id=1, stream_id=3, problem="stream over limit")]


def test_header_gives_the_first_of_its_name() -> None:
    assert request(1).header("apns-id") == "one"
    assert request(1).header("apns-topic") is None


def test_request_mentions_the_tokens_in_its_path_and_body() -> None:
    assert request(1).mentions("aa11")
    assert request(1).mentions("bb22")
    assert not request(1).mentions("cc33")


def test_repr_of_a_request_shows_no_token() -> None:
    assert "aa11" not in repr(request(1))
    assert "bb22" not in repr(request(1))
