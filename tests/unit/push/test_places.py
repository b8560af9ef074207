"""Places for unanswered pushes."""

from pusher.push.places import STALLED_S, Places


def taken(places: Places, now: float, most: int = 1000) -> int:
    """Take as many places as there are, and return how many that was."""
    count = 0
    while count < most and places.free(now):
        places.take(now)
        count += 1
    return count


def test_no_more_are_taken_than_there_are():
    assert taken(Places(8, 2), 0.0) == 8


def test_a_place_given_back_is_free_again():
    places = Places(8, 2)
    taken(places, 0.0)
    places.give_back(0.1, answered=True)
    assert taken(places, 0.1) == 1


def test_without_an_answer_for_a_while_few_are_left():
    places = Places(8, 3)
    taken(places, 0.0, most=2)
    assert taken(places, STALLED_S + 0.01) == 1
    assert places.taken == 3


def test_answers_keep_all_places_open():
    places = Places(8, 3)
    taken(places, 0.0, most=4)
    places.give_back(STALLED_S, answered=True)
    assert taken(places, 2 * STALLED_S) == 5


def test_pushes_that_end_without_an_answer_open_nothing():
    places = Places(8, 3)
    taken(places, 0.0, most=4)
    places.give_back(STALLED_S, answered=False)
    assert taken(places, STALLED_S + 0.01) == 0


def test_after_a_rest_nothing_is_stalled():
    places = Places(8, 3)
    places.take(0.0)
    places.give_back(100.0, answered=False)
    assert taken(places, 1000.0) == 8
