"""A client is refused streams by the announced limit, and blamed only for what it must have known."""

from hyperframe.frame import Frame, GoAwayFrame

from pusher.simulators.misbehaviour import GoAway
from pusher.simulators.stream_rules import Fate, StreamRules, Verdict

REFUSED = Verdict(Fate.REFUSED)
BLAMED = Verdict(Fate.REFUSED, "stream over limit")
TAKEN = Verdict(Fate.TAKEN)


def read(frame: bytes) -> GoAwayFrame:
    read, length = Frame.parse_frame_header(memoryview(frame[:9]))
    assert isinstance(read, GoAwayFrame)
    assert length == len(frame) - 9
    read.parse_body(memoryview(frame[9:]))
    return read


def test_stream_over_a_limit_the_client_has_not_acknowledged_is_refused_without_blame() -> None:
    rules = StreamRules(limit=1)

    assert rules.judge(1, concurrent=1) == TAKEN
    assert rules.judge(3, concurrent=2) == REFUSED


def test_stream_over_an_acknowledged_limit_is_a_violation() -> None:
    rules = StreamRules(limit=1)
    rules.acknowledged(1)

    assert rules.judge(1, concurrent=1) == TAKEN
    assert rules.judge(3, concurrent=2) == BLAMED


def test_lowered_limit_counts_at_once_and_blames_once_acknowledged() -> None:
    rules = StreamRules(limit=10)
    rules.acknowledged(10)
    assert rules.announce(1)

    assert rules.judge(1, concurrent=2) == REFUSED
    rules.acknowledged(1)
    assert rules.judge(3, concurrent=2) == BLAMED


def test_raised_limit_counts_before_it_is_acknowledged() -> None:
    rules = StreamRules(limit=1)
    rules.acknowledged(1)
    rules.announce(10)

    assert rules.judge(1, concurrent=10) == TAKEN
    assert rules.judge(3, concurrent=11) == BLAMED


def test_announcing_the_same_limit_is_no_news() -> None:
    assert not StreamRules(limit=5).announce(5)


def test_goaway_names_the_highest_stream_and_its_reason_as_apns_does() -> None:
    rules = StreamRules(limit=10)
    rules.judge(7, concurrent=1)
    frame = read(rules.go_away(GoAway(reason="Shutdown", error_code=2), None))

    assert (frame.last_stream_id, frame.error_code) == (7, 2)
    assert frame.additional_data == b'{"reason":"Shutdown"}'


def test_goaway_without_reason_carries_no_debug_data() -> None:
    assert read(StreamRules(limit=10).go_away(GoAway(), 3)).additional_data == b""


def test_streams_above_the_last_are_dropped_and_ignored() -> None:
    rules = StreamRules(limit=10)
    rules.go_away(GoAway(), 5)

    assert not rules.is_dropped(5)
    assert rules.is_dropped(7)
    assert rules.judge(7, concurrent=1) == Verdict(Fate.IGNORED)


def test_stream_after_goaway_was_read_is_a_violation() -> None:
    rules = StreamRules(limit=10)
    rules.go_away(GoAway(), 5)
    rules.goaway_read()

    assert rules.judge(7, concurrent=1) == Verdict(Fate.IGNORED, "stream after GOAWAY")


def test_second_goaway_promises_no_more_than_the_first() -> None:
    rules = StreamRules(limit=10)
    rules.go_away(GoAway(), 5)

    assert read(rules.go_away(GoAway(), 9)).last_stream_id == 5
    assert read(rules.go_away(GoAway(), 3)).last_stream_id == 3
