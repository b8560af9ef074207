"""Reading and writing JSON that others wrote or will read."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.providers.json_body import read_object, word, write_json


def test_writes_compact_utf8() -> None:
    assert write_json({"a": ["ü", 1, None]}) == '{"a":["ü",1,null]}'.encode()


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert json.loads(write_json({"name": "a\ud800b"})) == {"name": "a?b"}


def test_nan_and_endless_nesting_are_value_errors() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    for document in (float("nan"), {"x": float("inf")}, nested, {"x": b"bytes"}):
        with pytest.raises(ValueError, match=r"nested|JSON"):
            write_json(document)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[1]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":' + b"9" * 9999 + b"}"],
)
def test_what_is_no_object_reads_as_an_empty_one(body: bytes) -> None:
    assert read_object(body) == {}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    assert isinstance(read_object(body), dict)


def test_only_clean_words_pass() -> None:
    assert word("BadDeviceToken") == "BadDeviceToken"
    for value in ("", "a b", "a\r\nb", "x" * 65, 7, None, ["a"], {}):
        assert word(value) is None
