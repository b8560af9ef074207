"""Liberal readers of single fields."""

from contextlib import suppress

import pytest
from hypothesis import given, settings

from pusher.errors import MessageInvalid
from pusher.messages import fields
from tests.unit.messages.test_envelope import JSON

SECRET = "s3cr3t" * 1000


@pytest.mark.parametrize(
    ("value", "read"), [("x", "x"), (" x ", " x "), (5, "5"), (-1.5, "-1.5"), ("", None), (None, None)]
)
def test_texts_and_numbers_are_texts_and_empty_is_absent(value, read):
    assert fields.optional_text({"k": value}, "k") == read


@pytest.mark.parametrize("value", [True, [], {}, 10**20, float("nan"), float("inf"), "x" * 4097])
def test_what_is_no_ordinary_text_is_refused(value):
    with pytest.raises(MessageInvalid, match=r"^k: "):
        fields.optional_text({"k": value}, "k")


@pytest.mark.parametrize("absent", [{}, {"k": None}, {"k": ""}])
def test_a_required_text_that_is_absent_is_missing(absent):
    with pytest.raises(MessageInvalid, match="k: is missing"):
        fields.text(absent, "k")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (20, 20.0),
        ("20", 20.0),
        (" 20.5 ", 20.5),
        ("-3", -3.0),
        (0, 0.0),
        (0.5, 0.5),
        ("", None),
        (None, None),
    ],
)
def test_numbers_and_their_digits_are_numbers(value, read):
    assert fields.number({"k": value}, "k", at_most=100) == read


@pytest.mark.parametrize(
    "value",
    [
        True,
        "x",
        "1e3",
        "0x10",
        "٣",
        "1" * 5000,
        [1],
        {},
        101,
        "101",
        -101,
        10**400,
        float("nan"),
        float("inf"),
    ],
)
def test_what_is_no_number_in_range_is_refused(value):
    with pytest.raises(MessageInvalid, match=r"^k: is (not a number|out of range)$"):
        fields.number({"k": value}, "k", at_most=100)


@pytest.mark.parametrize(("value", "read"), [("3", 3), (3.0, 3), (-1, -1), (None, None)])
def test_whole_numbers_are_read_in_any_spelling(value, read):
    assert fields.integer({"k": value}, "k", at_most=100) == read


def test_half_a_badge_is_refused():
    with pytest.raises(MessageInvalid, match="k: is not a whole number"):
        fields.integer({"k": "2.5"}, "k", at_most=100)


@pytest.mark.parametrize(
    ("value", "read"),
    [(["a", 1, None, ""], ("a", "1")), ("a", ("a",)), (7, ("7",)), ([], ()), ("", ()), (None, ())],
)
def test_a_list_of_texts_may_be_one_text(value, read):
    assert fields.text_list({"k": value}, "k") == read


@pytest.mark.parametrize("value", [[["a"]], {"a": 1}, [True], ["a"] * 65, ["x" * 5000]])
def test_a_list_of_anything_else_is_refused(value):
    with pytest.raises(MessageInvalid, match=r"^k: "):
        fields.text_list({"k": value}, "k")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ("{}", {}),
        ("hello", {"k": "hello"}),
        ("[1]", {"k": "[1]"}),
        ('{"a": NaN}', {"k": '{"a": NaN}'}),
        ('{"a":' * 5000, {"k": '{"a":' * 5000}),
        ("", {}),
        (None, {}),
    ],
)
def test_an_object_may_be_json_text_and_any_other_text_is_kept(value, read):
    assert fields.json_object({"k": value}, "k") == read


@pytest.mark.parametrize("value", [1, [], True])
def test_what_is_neither_object_nor_text_is_no_object(value):
    with pytest.raises(MessageInvalid, match="k: is not an object"):
        fields.json_object({"k": value}, "k")


@pytest.mark.parametrize("value", [1, None, "", [], True])
def test_a_lenient_text_never_raises(value):
    assert fields.lenient_text({"k": value}, "k") is None


@pytest.mark.parametrize(
    "reader",
    [
        fields.text,
        fields.text_list,
        lambda message, key: fields.number(message, key, at_most=1),
        lambda message, key: fields.integer(message, key, at_most=1),
    ],
)
def test_errors_never_quote_the_value(reader):
    for value in (SECRET, [SECRET], {"a": SECRET}, [[SECRET]]):
        with pytest.raises(MessageInvalid) as caught:
            reader({"k": value}, "k")
        assert "s3cr3t" not in str(caught.value)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_no_reader_raises_anything_but_message_invalid(value):
    readers = (
        lambda message: fields.text(message, "k"),
        lambda message: fields.text_list(message, "k"),
        lambda message: fields.json_object(message, "k"),
        lambda message: fields.integer(message, "k", at_most=10),
        lambda message: fields.lenient_text(message, "k"),
    )
    for reader in readers:
        with suppress(MessageInvalid):
            reader({"k": value})


def test_a_number_next_to_a_character_that_only_looks_like_space_is_no_number() -> None:
    with pytest.raises(MessageInvalid, match="is not a number"):
        fields.number({"k": "0\x1f"}, "k", at_most=10)
