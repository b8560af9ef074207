"""SIP messages: datagrams to values and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.simulators.sip_message import SIPRequest, SIPResponse, head, parse
from tests.unit.simulators.sip_samples import INVITE, OFFER


def test_a_request_through_two_proxies():
    request = parse(INVITE)
    assert isinstance(request, SIPRequest)
    assert (request.method, request.uri) == ("INVITE", "sip:2001@127.0.0.1:5070;transport=udp")
    assert [via.split(";")[1] for via in request.values("Via")] == [
        "branch=z9hG4bKtop",
        "branch=z9hG4bKmid",
        "branch=z9hG4bKlow",
    ]
    assert request.values("record-route") == ("<sip:10.0.0.2;lr;ftag=a>", "<sip:10.0.0.1;lr>", "<sip:10.0.0.9;lr>")
    assert request.only("Contact") == "<sip:bob@10.0.0.9>"
    assert request.body == OFFER
    told = head(request)
    assert (told.call_id, told.cseq, told.method, told.via.port) == ("call-1@10.0.0.9", 7, "INVITE", 5080)
    assert told.sender.display == 'Bob "B" Müller, \\ <x>'
    assert (told.sender.tag, told.recipient.tag) == ("from-tag", None)


def test_a_response():
    response = parse(b"SIP/2.0 401 Not  today\r\nVia: SIP/2.0/UDP h\r\n\r\n")
    assert isinstance(response, SIPResponse)
    assert (response.status, response.reason, response.body) == (401, "Not  today", b"")


def test_empty_lines_before_a_message_and_bytes_behind_its_body_are_ignored():
    assert parse(b"\r\n\r\n" + INVITE + b"more") == parse(INVITE)


def test_without_a_length_the_datagram_is_the_body():
    assert parse(b"SIP/2.0 200 OK\r\n\r\nbody").body == b"body"


def test_what_is_no_utf_8_comes_back_as_it_was():
    latin = INVITE.replace(b"M\xc3\xbcller", b"M\xfcller")
    assert b"M\xfcller" in parse(latin).encode()


def test_neither_tokens_nor_credentials_stand_in_a_representation():
    message = SIPRequest(method="REGISTER", uri="sip:h", headers=(("Authorization", "Digest x"),), body=b"pn-tok")
    assert "Digest" not in repr(message)
    assert "pn-tok" not in repr(message)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"\r\n\r\n", b"\r\n", "no empty line"),
        (b" SIP/2.0\r\nRecord", b" SIP/3.0\r\nRecord", "neither a request line"),
        (b"Max-Forwards: 68", b"Max-Forwards 68", "header without a name"),
        (b"Max-Forwards: 68", b"Max-Forwards: 6\n8", "control character"),
        (b"\r\nl: ", b"\r\nl: 9", "Content-Length"),
        (b"\r\nl: ", b"\r\nl: -", "Content-Length"),
        (b"CSeq: 7 INVITE", b"CSeq: 7 INVITE\r\nCSeq: 7 INVITE", "CSeq: is there more than once"),
        (b"CSeq: 7 INVITE", b"CSeq: INVITE", "CSeq: is not a number"),
        (b"CSeq: 7 INVITE", b"CSeq: 7 BYE", "CSeq: names another method"),
        (b"i: call-1@10.0.0.9\r\n", b"", "Call-ID: is missing"),
        (b"i: call-1@10.0.0.9", b"i:", "Call-ID: is missing"),
        (b"tag=from-tag", b"x=y", "From: has no tag"),
        (b"z9hG4bKtop", b"1", "Via: has a branch"),
        (b"Via: ", b"X: ", ""),
    ],
)
def test_what_breaks_the_rules_is_refused(old: bytes, new: bytes, problem: str):
    broken = INVITE.replace(old, new, 1)
    if problem:
        with pytest.raises(MessageInvalid, match=problem):
            head(parse(broken))
    else:
        # The next line has a Via too: its hop is then the topmost.
        assert head(parse(broken)).via.branch == "z9hG4bKmid"


def test_a_message_without_a_hop_is_refused():
    with pytest.raises(MessageInvalid, match="Via: is missing"):
        head(parse(b"SIP/2.0 200 OK\r\n\r\n"))


NAMES = st.from_regex(r"[A-Za-z][A-Za-z-]{0,9}", fullmatch=True).filter(
    lambda n: len(n) > 1 and n.lower() != "content-length"
)
VALUES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=("Cs",)), max_size=20).map(
    lambda text: text.strip(" \t")
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.binary(max_size=40))
def test_a_message_reads_as_it_was_written(headers: list[tuple[str, str]], body: bytes):
    message = SIPRequest(method="MESSAGE", uri="sip:a@h", headers=tuple(headers), body=body)
    read = parse(message.encode())
    assert isinstance(read, SIPRequest)
    assert read.headers == (*message.headers, ("Content-Length", str(len(body))))
    assert (read.method, read.uri, read.body) == ("MESSAGE", "sip:a@h", body)


@given(st.one_of(st.binary(), st.binary().map(lambda tail: b"SIP/2.0 200 OK\r\n" + tail + b"\r\n\r\n")))
def test_garbage_raises_nothing_but_the_parsers_error(datagram: bytes):
    read_all(datagram)


@given(st.integers(0, len(INVITE) - 1), st.integers(0, 30), st.binary(max_size=30))
def test_a_damaged_message_raises_nothing_but_the_parsers_error(at: int, length: int, damage: bytes):
    read_all(INVITE[:at] + damage + INVITE[at + length :])


def read_all(datagram: bytes) -> None:
    try:
        head(parse(datagram))
    except MessageInvalid:
        return
