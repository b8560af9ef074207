"""Decoding and the default headers."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.messages import envelope
from pusher.messages.json_text import MAX_DEPTH
from tests.unit.messages import samples

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("body", [samples.PUSH_REQ, samples.PUSH_REQ_OLDER_ROLE, samples.REG_SUCCESS])
@pytest.mark.parametrize("kind", [bytes, memoryview, lambda body: body.decode()])
def test_a_real_message_is_decoded_from_bytes_views_and_text(body, kind):
    assert envelope.decode(kind(body)) == json.loads(body)


def test_latin_1_from_a_phone_does_not_lose_the_call():
    """Kamailio passes a display name on as it came."""
    fields = envelope.decode('{"Alert-Body": "Bob Müller", "Token-ID": "t"}'.encode("latin-1"))
    assert fields == {"Alert-Body": "Bob M�ller", "Token-ID": "t"}


def test_raw_control_characters_in_strings_are_taken():
    assert envelope.decode(b'{"a": "x\ty"}') == {"a": "x\ty"}


@pytest.mark.parametrize("half", ["\\ud83d", "\\uDE00", "\\ud83d\\ud83d"])
def test_half_of_a_surrogate_pair_never_breaks_an_encoder_later(half):
    fields = envelope.decode(f'{{"a{half}": ["x{half}"]}}')
    assert json.dumps(fields, ensure_ascii=False).encode()
    assert next(iter(fields)).startswith("a?")


def test_a_surrogate_in_text_that_is_already_decoded_never_breaks_an_encoder_later():
    fields = envelope.decode('{"a": "x\ud83d"}')
    assert fields["a"].encode().startswith(b"x")


def test_a_whole_surrogate_pair_stays_a_character():
    assert envelope.decode(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'{"a": 1} x', "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'"secret"', "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b'{"a": NaN}', "holds a number that JSON does not know"),
        (b'{"a": -Infinity}', "holds a number that JSON does not know"),
        (b'{"a": 1e999}', "holds a number that is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "holds a number that is too large"),
        (nested(MAX_DEPTH + 1), "is nested too deeply"),
        (nested(900), "is nested too deeply"),
        (nested(40_000), "is nested too deeply"),
    ],
)
def test_what_cannot_be_a_message_is_refused_with_its_reason(body, problem):
    with pytest.raises(MessageInvalid) as caught:
        envelope.decode(body)
    assert (caught.value.field, caught.value.problem) == ("body", problem)


def test_nesting_up_to_the_limit_and_many_flat_arrays_are_taken():
    assert envelope.decode(b'{"b": [[], []], ' + nested(MAX_DEPTH)[1:])
    assert envelope.decode(json.dumps({"a": [[]] * 1000}))


def test_the_limit_counts_bytes_not_characters():
    body = '{"a": "' + "ü" * 10 + '"}'
    assert envelope.decode(body, max_bytes=len(body.encode()))
    with pytest.raises(MessageInvalid, match="is longer than 28 bytes"):
        envelope.decode(body, max_bytes=len(body.encode()) - 1)


@given(st.binary(max_size=200) | st.text(max_size=200) | JSON.map(json.dumps))
@settings(max_examples=200, deadline=None)
def test_any_body_is_an_object_that_can_be_written_again_or_message_invalid(body):
    try:
        fields = envelope.decode(body)
    except MessageInvalid:
        return
    assert json.loads(json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()) == fields


def test_a_message_of_the_expected_kind_passes_the_check():
    envelope.check(envelope.decode(samples.PUSH_REQ), "notification", "push_req")


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"Event-Category": "directory", "Event-Name": "push_req"}, "Event-Category"),
        ({"Event-Category": "notification", "Event-Name": ["push_req"]}, "Event-Name"),
        ({"Event-Category": "notification"}, "Event-Name"),
    ],
)
def test_a_message_of_another_kind_is_refused_by_the_header_at_fault(fields, key):
    with pytest.raises(MessageInvalid) as caught:
        envelope.check(fields, "notification", "push_req")
    assert caught.value.field == key


def test_default_headers_are_those_that_kazoo_requires():
    headers = envelope.headers("notification", "push_resp", "pusher@host", "m1")
    version = headers.pop("App-Version")
    assert re.fullmatch(r"\d+\.\d+.*", version)
    assert headers == {
        "Event-Category": "notification",
        "Event-Name": "push_resp",
        "App-Name": "pusher",
        "Node": "pusher@host",
        "Msg-ID": "m1",
    }


def test_a_message_that_answers_nothing_gets_a_msg_id_of_its_own():
    first, second = (envelope.headers("configuration", "doc_edited", "n")["Msg-ID"] for _ in range(2))
    assert first
    assert first != second


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("acme.sip.example.com", "acme%2Esip%2Eexample%2Ecom"),
        ("a-b_c~d", "a-b_c~d"),
        ("a b", "a+b"),
        ("a+b/c#*", "a%2Bb%2Fc%23%2A"),
        ("ü", "%C3%BC"),
        ("\ud800", "%3F"),
    ],
)
def test_a_routing_word_holds_nothing_that_a_topic_exchange_understands(text, word):
    assert envelope.routing_word(text) == word
