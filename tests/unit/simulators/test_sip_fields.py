"""Hops, addresses, parameters and quoted strings of SIP headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.simulators import sip_fields as fields


def test_a_hop_without_a_port_wants_its_responses_at_5060():
    via = fields.parse_via("sip / 2.0 / udp [::1];branch=z9hG4bKa;RPORT")
    assert (via.host, via.port, via.branch) == ("[::1]", 5060, "z9hG4bKa")
    assert via.params == (("branch", "z9hG4bKa"), ("rport", None))


@pytest.mark.parametrize("value", ["SIP/2.0/TCP h", "SIP/2.0/UDP", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:65536", "UDP h"])
def test_what_is_no_hop_over_udp_is_refused(value: str):
    with pytest.raises(MessageInvalid, match="Via"):
        fields.parse_via(value)


@pytest.mark.parametrize(
    ("value", "display", "uri", "tag"),
    [
        (r'"A \"B\" \\ ;,<x>" <sip:a@h;lr>;tag=1', r'A "B" \ ;,<x>', "sip:a@h;lr", "1"),
        ("Bob Smith <sip:b@h>", "Bob Smith", "sip:b@h", None),
        ('"" <sip:b@h> ;TAG=2', "", "sip:b@h", "2"),
        ("sip:b@h;tag=3", "", "sip:b@h", "3"),
    ],
)
def test_an_address_is_a_name_and_a_uri(value: str, display: str, uri: str, tag: str | None):
    address = fields.parse_address("From", value)
    assert (address.display, address.uri, address.tag) == (display, uri, tag)


@pytest.mark.parametrize("value", ['"Bob <sip:b@h>', '"Bob" sip:b@h', "Bob", "<sip:b@h", "sip:b@h>", "<>"])
def test_what_is_no_address_is_refused(value: str):
    with pytest.raises(MessageInvalid, match="From"):
        fields.parse_address("From", value)


@given(st.text())
def test_a_quoted_text_reads_as_it_was_written(text: str):
    assert fields.unquote(fields.quote(text)) == text


@given(st.lists(st.text("abc<>,;\\" + '"', max_size=8), min_size=1, max_size=4))
def test_a_separator_in_quotes_separates_nothing(texts: list[str]):
    assert fields.split_outside_quotes(",".join(map(fields.quote, texts)), ",") == [
        fields.quote(text) for text in texts
    ]


@given(st.text("<>,;=:@\\ sip" + '"', max_size=40))
def test_garbage_raises_nothing_but_the_parsers_error(text: str):
    for parse in (fields.parse_via, lambda value: fields.parse_address("To", value)):
        try:
            parse(text)
        except MessageInvalid:
            continue
