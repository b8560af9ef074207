"""The Contact header."""

import time
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.messages import envelope
from pusher.registration import contact
from tests.unit.messages import samples

NAMES = st.from_regex(r"[a-z+.-]{1,12}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def only(header: str) -> contact.ContactBinding:
    (binding,) = contact.parse(header)
    return binding


def test_the_contact_of_a_real_phone():
    """Verbatim from Kamailio: escaped quotes in the display name, parameters inside and outside."""
    binding = only(envelope.decode(samples.REG_SUCCESS)["Contact"])
    assert binding == contact.ContactBinding(
        uri="sip:2001@127.0.0.1:15090",
        uri_params=(("transport", "udp"),),
        header_params=(
            ("app-id", "com.example.softphone"),
            ("pn-type", "firebase"),
            ("pn-tok", "fX9_q:APA91bH-Example_Token~0123456789"),
            ("+sip.instance", "<urn:uuid:00000000-0000-4000-8000-0000deadbeef>"),
            ("expires", "600"),
        ),
    )
    assert "APA91" not in repr(binding)


def test_the_contact_of_an_old_linphone():
    """facts/sip.md 1."""
    binding = only(
        "<sip:user@192.168.1.7:5060;app-id=org.example.app.voip.prod;pn-type=apple;pn-tok=4A5B;pn-silent=1"
        ';transport=tls>;+sip.instance="<urn:uuid:1>"'
    )
    assert binding.uri == "sip:user@192.168.1.7:5060"
    assert binding.param("app-id") == "org.example.app.voip.prod"
    assert binding.param("pn-tok") == "4A5B"
    assert binding.param("+sip.instance") == "<urn:uuid:1>"


def test_the_contact_of_a_phone_with_two_tokens():
    """facts/sip.md 2: RFC 8599 as Linphone speaks it."""
    binding = only("<sip:u@h;pn-provider=apns;pn-prid=D7:remote&61:voip;pn-param=ABCD1234.org.x.remote&voip>")
    assert binding.param("pn-prid") == "D7:remote&61:voip"
    assert binding.param("pn-param") == "ABCD1234.org.x.remote&voip"


@pytest.mark.parametrize(
    ("header", "uri"),
    [
        ("sip:a@b", "sip:a@b"),
        ("<sip:a@b>", "sip:a@b"),
        (" Ann Lee\r\n <sips:a@b> ", "sips:a@b"),
        ('"Lee; Ann, <x>" <sip:a@b>', "sip:a@b"),
        ("<sip:[2001:db8::1]:5060>", "sip:[2001:db8::1]:5060"),
        ("<sip:a;b?c@host;x=y?h=v>", "sip:a;b?c@host"),
        ("<tel:+15551230000>", "tel:+15551230000"),
    ],
)
def test_the_address_is_found_in_every_form(header, uri):
    assert only(header).uri == uri


def test_parameters_of_the_uri_come_before_those_of_the_header():
    binding = only("<sip:a@b;PN-Tok=inside>;pn-tok=outside;other=x")
    assert binding.param("pn-tok") == "inside"
    assert binding.param("OTHER") == "x"
    assert binding.param("absent") is None


def test_headers_of_the_uri_belong_to_no_parameter():
    assert only("<sip:a?b@h;x=y?subject=z;w>").uri_params == (("x", "y"),)


def test_the_first_of_two_equal_parameters_counts():
    assert only("sip:a;x=1;x=2").param("x") == "1"


def test_without_brackets_the_parameters_are_the_headers():
    assert only("sip:a@b;pn-tok=t;flag").header_params == (("pn-tok", "t"), ("flag", ""))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a%3Ab%20c", "a:b c"),
        ("a+b", "a+b"),
        ("%", "%"),
        ("%zz%4", "%zz%4"),
        ("%FF%41", "�A"),
        ("%0d%0a", "\r\n"),
        ('"a\\"b\\\\;,>"', 'a"b\\;,>'),
        ('""', ""),
        (" x ", "x"),
        ("a=b", "a=b"),
    ],
)
def test_values_are_unquoted_and_percent_decoded_and_bad_percent_signs_stay(written, meant):
    assert only(f"<sip:a@b>;x={written};y=1").header_params == (("x", meant), ("y", "1"))


def test_what_a_stripped_parameter_leaves_behind_is_nothing():
    """2600hz's role cuts out `methods="..."`."""
    binding = only("<sip:a@b;;x=1;=3;>;;y=2; ;")
    assert (binding.uri_params, binding.header_params) == ((("x", "1"),), (("y", "2"),))


def test_several_contacts_are_separated_by_commas_outside_quotes_and_brackets():
    bindings = contact.parse('"A, B" <sip:a@x,y>;q="1,2", sip:b@x ,, C <sip:c@x>')
    assert [binding.uri for binding in bindings] == ["sip:a@x,y", "sip:b@x", "sip:c@x"]
    assert bindings[0].param("q") == "1,2"


@pytest.mark.parametrize("star", ["*", " * "])
def test_a_star_removes_all_bindings(star):
    assert contact.parse(star) == ()


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        (";", "has an address without a scheme"),
        ("2001", "has an address without a scheme"),
        ("<>", "has an address without a scheme"),
        ("sip:;x=y", "has an address without a host"),
        ("<sip:a@;x=y>", "has an address without a host"),
        ("<sip:a@b", "has a quote or angle bracket without its partner"),
        ('"Ann <sip:a@b>', "has a quote or angle bracket without its partner"),
        ('<sip:a@b>;x="y', "has a quote or angle bracket without its partner"),
        ("<sip:a@b> x;y=z", "has something behind its address"),
        ("<sip:a@b>>", "has something behind its address"),
        ("<sip:a@b><sip:c@d>", "has something behind its address"),
        ("sip:a@b>", "has something behind its address"),
        ("x" * 16_385, "is longer than 16384 characters"),
    ],
)
def test_the_rest_is_refused_with_a_reason(header, problem):
    with pytest.raises(MessageInvalid) as caught:
        contact.parse(header)
    assert (caught.value.field, caught.value.problem) == ("Contact", problem)


def written_value(value: str, quoted: bool) -> str:
    if quoted:
        return '"' + value.replace("%", "%25").replace("\\", "\\\\").replace('"', '\\"') + '"'
    return quote(value, safe="")


@st.composite
def params(draw: st.DrawFn, *, may_quote: bool) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Draw parameters: as written in a header, and as meant."""
    pairs = draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))
    quoted = draw(st.booleans()) and may_quote
    written = "".join(f";{name.upper()}={written_value(value, quoted)}" for name, value in pairs)
    return written, tuple(pairs)


@st.composite
def contacts(draw: st.DrawFn) -> tuple[str, contact.ContactBinding]:
    """Draw a contact: as written in a header, and as meant."""
    uri = draw(st.sampled_from(["sip:a@192.0.2.1:5060", "sips:x;y@[::1]", "sip:example.org"]))
    display = draw(st.sampled_from(["", "Ann ", '"Ann \\"<;,>\\" Lee" ', "\r\n "]))
    inside, uri_params = draw(params(may_quote=False))
    outside, header_params = draw(params(may_quote=True))
    binding = contact.ContactBinding(uri=uri, uri_params=uri_params, header_params=header_params)
    return f"{display}<{uri}{inside}>{outside}", binding


@given(st.lists(contacts(), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_a_well_formed_header_means_what_was_written(drawn):
    header = ", ".join(written for written, _ in drawn)
    assert contact.parse(header) == tuple(binding for _, binding in drawn)


@given(st.text(st.sampled_from('ab:@;,<>"\\=%?* \t\ud800é'), max_size=60) | st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_no_text_raises_anything_but_message_invalid(header):
    with suppress(MessageInvalid):
        contact.parse(header)


@given(
    st.text(st.sampled_from('a:@;,<>"\\=% '), min_size=1, max_size=6),
    st.sampled_from(["", "<", '"', "sip:a;"]),
)
@settings(max_examples=100, deadline=None)
def test_no_header_of_the_largest_size_takes_long(piece, start):
    """Quadratic work would take seconds of processor time, however busy the machine."""
    header = (start + piece * contact.MAX_CONTACT)[: contact.MAX_CONTACT]
    started = time.thread_time()
    with suppress(MessageInvalid):
        contact.parse(header)
    assert time.thread_time() - started < 0.5
