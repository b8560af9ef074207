"""The script hands out behaviours in order, to the requests they are meant for."""

from collections.abc import Callable

import pytest

from pusher.simulators.misbehaviour import REFUSE, Answer, Disconnect, Script, Silent


def mentioning(*tokens: str) -> Callable[[str], bool]:
    return lambda token: token in tokens


def test_without_a_script_the_right_thing_is_done() -> None:
    assert Script().take(mentioning()) is None


def test_behaviours_are_taken_in_order_as_often_as_said() -> None:
    script = Script()
    script.next(REFUSE, times=2)
    script.next(Silent())

    assert [script.take(mentioning()) for _ in range(4)] == [REFUSE, REFUSE, Silent(), None]


def test_behaviour_for_a_token_waits_for_that_token() -> None:
    script = Script()
    script.next(Silent(), token="aa")
    script.next(REFUSE)

    assert script.take(mentioning("bb")) == REFUSE
    assert script.take(mentioning("aa")) == Silent()
    assert script.take(mentioning("aa")) is None


def test_always_holds_for_all_that_next_does_not_claim() -> None:
    script = Script()
    script.always(Answer(status=503))
    script.next(REFUSE)

    assert [script.take(mentioning()) for _ in range(3)] == [REFUSE, Answer(status=503), Answer(status=503)]


def test_of_several_always_the_newest_that_fits_counts() -> None:
    script = Script()
    script.always(Silent())
    script.always(Disconnect(), token="aa")

    assert script.take(mentioning("aa")) == Disconnect()
    assert script.take(mentioning("bb")) == Silent()


@pytest.mark.parametrize("write", [Script.next, Script.always])
def test_clear_ends_what_was_written(write: Callable[[Script, Silent], None]) -> None:
    script = Script()
    write(script, Silent())

    script.clear()

    assert script.take(mentioning()) is None
