"""How the handset answers calls, without a socket and with a clock of the test's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.simulators.sip_calls import SIPCalls
from pusher.simulators.sip_message import SIPRequest, SIPResponse, head, parse
from tests.unit.simulators.conftest import Clock
from tests.unit.simulators.sip_samples import INVITE

PROXY = ("127.0.0.1", 5099)


class Line:
    """A phone, and the proxy's end of the line to it."""

    def __init__(self, clock: Clock, *, answers: bool = True) -> None:
        self.sent: list[tuple[SIPResponse, tuple[str, int]]] = []
        self.phone = SIPCalls(user="2001", address=("127.0.0.1", 5070), answers=answers, send=self._take, now=clock)

    def _take(self, datagram: bytes, address: tuple[str, int]) -> None:
        response = parse(datagram)
        assert isinstance(response, SIPResponse)
        self.sent.append((response, address))

    def say(self, datagram: bytes, source: tuple[str, int] = PROXY) -> list[int]:
        """Return the statuses of what comes back at once."""
        before = len(self.sent)
        request = parse(datagram)
        assert isinstance(request, SIPRequest)
        self.phone.receive(request, source)
        return [response.status for response, _ in self.sent[before:]]

    def tag(self) -> str:
        return head(self.sent[-1][0]).recipient.tag or ""

    def later(self, method: bytes, *, branch: bytes, cseq: int = 8) -> bytes:
        """Return a request within the call, or one that is about its INVITE."""
        return (
            re.sub(rb"\r\n[lc]: [^\r]*", b"", INVITE.partition(b"\r\n\r\n")[0])
            .replace(b"INVITE", method)
            .replace(b"CSeq: 7", b"CSeq: %d" % cseq)
            .replace(b"z9hG4bKtop", branch)
            .replace(b"To: <sip:2001@acme.example>", b"To: <sip:2001@acme.example>;tag=" + self.tag().encode())
            + b"\r\n\r\n"
        )


@pytest.fixture
def line(clock: Clock) -> Line:
    return Line(clock)


def cancel(branch: bytes = b"z9hG4bKtop") -> bytes:
    return INVITE.replace(b"INVITE", b"CANCEL").replace(b"z9hG4bKtop", branch)


def test_a_call_rings_and_is_answered(line: Line, clock: Clock):
    assert line.say(INVITE) == [100, 180, 200]
    [call] = line.phone.calls
    assert (call.call_id, call.caller) == ("call-1@10.0.0.9", 'Bob "B" Müller, \\ <x>')
    assert (call.invited_at, call.answered_at, call.ended) == (clock.now, clock.now, None)
    assert line.say(line.later(b"ACK", branch=b"z9hG4bKack", cseq=7)) == []
    assert line.phone.resend_due() is None
    clock.now += 10
    assert line.say(line.later(b"BYE", branch=b"z9hG4bKbye")) == [200]
    assert call.ended == "bye"
    assert line.phone.violations == []


def test_a_response_finds_its_way_through_all_proxies(line: Line):
    line.say(INVITE)
    (trying, _), (ringing, _), (ok, address) = line.sent
    assert address == PROXY
    for response in (ringing, ok):
        assert response.values("Via") == (
            "SIP/2.0/UDP 10.0.0.2:5080;branch=z9hG4bKtop;rport=5099;received=127.0.0.1",
            "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKmid",
            "SIP/2.0/UDP 10.0.0.9:5066;branch=z9hG4bKlow;received=9.9.9.9",
        )
        assert response.values("Record-Route") == (
            "<sip:10.0.0.2;lr;ftag=a>",
            "<sip:10.0.0.1;lr>",
            "<sip:10.0.0.9;lr>",
        )
        assert response.only("Contact") == "<sip:2001@127.0.0.1:5070;transport=udp>"
        assert response.only("CSeq") == "7 INVITE"
    assert head(trying).recipient.tag is None
    assert head(ringing).recipient.tag == head(ok).recipient.tag is not None
    assert ok.only("Content-Type") == "application/sdp"
    assert b"m=audio" in ok.body


def test_without_rport_the_answer_goes_to_the_port_of_the_via(line: Line):
    line.say(INVITE.replace(b";rport", b"", 1))
    response, address = line.sent[-1]
    assert address == ("127.0.0.1", 5080)
    assert response.values("Via")[0] == "SIP/2.0/UDP 10.0.0.2:5080;branch=z9hG4bKtop;received=127.0.0.1"


def test_a_request_that_is_repeated_gets_the_last_response_again(line: Line):
    line.say(INVITE)
    assert line.say(INVITE) == [200]
    bye = line.later(b"BYE", branch=b"z9hG4bKbye")
    assert (line.say(bye), line.say(bye)) == ([200], [200])
    assert len(line.phone.calls) == 1
    assert line.phone.violations == []


def test_a_final_response_is_repeated_until_it_is_acknowledged(line: Line, clock: Clock):
    line.say(INVITE)
    line.sent.clear()
    times = []
    began = clock.now
    while (wait_s := line.phone.resend_due()) is not None and clock.now < began + 8:
        clock.now += wait_s
        before = len(line.sent)
        line.phone.resend_due()
        times += [clock.now - began] * (len(line.sent) - before)
    # Timer G: half a second, doubled up to four.
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5]


def test_an_answer_that_nobody_acknowledges_is_noted(line: Line, clock: Clock):
    line.say(INVITE)
    clock.now += 32
    line.phone.resend_due()
    assert line.phone.resend_due() is None
    assert line.phone.violations == ["INVITE of call call-1@10.0.0.9 got a 200 and nobody acknowledged it"]


def test_a_cancelled_call_is_over(clock: Clock):
    line = Line(clock, answers=False)
    assert line.say(INVITE) == [100, 180]
    assert line.phone.resend_due() is None
    tag = line.tag()
    assert line.say(cancel()) == [200, 487]
    assert {head(response).recipient.tag for response, _ in line.sent[-2:]} == {tag}
    assert line.phone.resend_due() == 0.5
    assert line.say(line.later(b"ACK", branch=b"z9hG4bKtop", cseq=7)) == []
    assert line.phone.resend_due() is None
    [call] = line.phone.calls
    assert (call.answered_at, call.ended) == (None, "cancel")
    assert line.phone.violations == []


def test_a_cancel_that_is_late_ends_nothing(line: Line):
    line.say(INVITE)
    assert line.say(cancel()) == [200]
    assert line.phone.calls[0].ended is None


def test_a_bye_to_a_ringing_phone_ends_the_invite(clock: Clock):
    line = Line(clock, answers=False)
    line.say(INVITE)
    assert line.say(line.later(b"BYE", branch=b"z9hG4bKbye")) == [200, 487]
    assert line.phone.calls[0].ended == "bye"


def test_a_bye_in_place_of_the_ack_ends_the_answer_too(line: Line):
    line.say(INVITE)
    assert line.say(line.later(b"BYE", branch=b"z9hG4bKbye")) == [200]
    assert line.phone.resend_due() is None


def test_a_call_is_changed_without_becoming_another(line: Line):
    line.say(INVITE)
    tag = line.tag()
    assert line.say(line.later(b"INVITE", branch=b"z9hG4bKagain")) == [200]
    assert line.tag() == tag
    assert len(line.phone.calls) == 1
    assert line.phone.violations == []


def test_two_callers_are_two_calls(line: Line):
    line.say(INVITE)
    other = INVITE.replace(b"call-1@", b"call-2@").replace(b"z9hG4bKtop", b"z9hG4bKother")
    assert line.say(other) == [100, 180, 200]
    assert [call.call_id for call in line.phone.calls] == ["call-1@10.0.0.9", "call-2@10.0.0.9"]


def test_an_options_says_what_the_phone_can(line: Line):
    assert line.say(INVITE.replace(b"INVITE", b"OPTIONS")) == [200]
    assert line.sent[-1][0].only("Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS"
    assert line.sent[-1][0].values("Record-Route") == ()
    assert line.phone.violations == []


@pytest.mark.parametrize(
    ("datagram", "status", "why"),
    [
        (INVITE.replace(b"INVITE", b"NOTIFY"), 405, "NOTIFY of call call-1@10.0.0.9 is nothing that it knows"),
        (INVITE.replace(b"sip:2001@127.0.0.1:5070", b"sip:2001@127.0.0.1:5071"), 404, "another address"),
        (INVITE.replace(b"\r\nc: application/sdp", b"\r\nc: text/plain"), 415, "something else"),
        (INVITE.replace(b"\r\nc: application/sdp", b""), 415, "something else"),
        (INVITE.replace(b"101 8 0", b"96 97 9"), 488, "no codec"),
        (INVITE.replace(b"<sip:2001@acme.example>", b"<sip:2001@acme.example>;tag=x"), 481, "belongs to no call"),
        (INVITE.replace(b"INVITE", b"BYE"), 481, "BYE of call call-1@10.0.0.9 belongs to no call"),
        (cancel(), 481, "CANCEL of call call-1@10.0.0.9 is for no INVITE"),
    ],
)
def test_what_the_phone_cannot_take_is_refused_and_noted(line: Line, datagram: bytes, status: int, why: str):
    assert line.say(datagram) == [status]
    [violation] = line.phone.violations
    assert why in violation
    assert line.phone.calls == []


def test_a_call_that_was_split_and_merged_is_refused_the_second_time(line: Line):
    line.say(INVITE)
    assert line.say(INVITE.replace(b"z9hG4bKtop", b"z9hG4bKfork")) == [482]
    assert line.phone.violations == ["INVITE of call call-1@10.0.0.9 came twice, on two branches"]


def test_an_ack_or_bye_of_a_finished_or_unknown_call_is_noted(line: Line):
    line.say(INVITE)
    line.say(line.later(b"BYE", branch=b"z9hG4bKbye"))
    assert line.say(line.later(b"BYE", branch=b"z9hG4bKbye2", cseq=9)) == [481]
    line.say(line.later(b"ACK", branch=b"z9hG4bKack", cseq=99))
    assert [violation.split()[0] for violation in line.phone.violations] == ["BYE", "ACK"]


def test_a_sleeping_phone_says_nothing_and_remembers_what_it_missed(line: Line, clock: Clock):
    line.say(INVITE)
    line.phone.sleep()
    assert line.phone.resend_due() is None
    missed = INVITE.replace(b"call-1@", b"call-2@")
    assert line.say(missed) == line.say(missed) == []
    assert line.phone.missed == ["call-2@10.0.0.9"]
    line.phone.asleep = False
    # The proxy never heard that the INVITE was lost: what it says of it now is its right.
    assert line.say(cancel().replace(b"call-1@", b"call-2@").replace(b"z9hG4bKtop", b"z9hG4bKmissed")) == [481]
    assert line.phone.violations == []


def test_a_name_that_is_no_utf_8_is_shown_as_well_as_can_be(line: Line):
    line.say(INVITE.replace(b"M\xc3\xbcller", b"M\xfcller"))
    assert line.phone.calls[0].caller == 'Bob "B" M\N{REPLACEMENT CHARACTER}ller, \\ <x>'


@given(st.integers(0, len(INVITE) - 1), st.integers(0, 30), st.binary(max_size=30))
def test_a_damaged_request_raises_nothing_but_the_parsers_error(at: int, length: int, damage: bytes):
    line = Line(Clock())
    try:
        line.say(INVITE[:at] + damage + INVITE[at + length :])
    except MessageInvalid:
        assert line.sent == []
