"""The SIP handset over real UDP, against a registrar and caller that count every datagram."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pusher.registration import contact
from pusher.simulators.sip_digest import digest_answer
from pusher.simulators.sip_handset import SIPHandset
from pusher.simulators.sip_message import Headers, SIPRequest, SIPResponse, head, parse
from pusher.simulators.stage import AppKind, Stage
from tests.support.until import until

CHALLENGES = {
    "MD5 with qop": 'Digest realm="acme", nonce="n1", qop="auth,auth-int", opaque="o", algorithm=MD5',
    "MD5 without qop": 'Digest realm="acme", nonce="n2"',
    "SHA-256": 'Digest realm="acme", nonce="n3", qop="auth", algorithm=SHA-256',
}


class Proxy:
    """A plain socket in the place of the proxy; what comes is read in order, with a deadline."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.address: tuple[str, int] = self.socket.getsockname()

    def close(self) -> None:
        self.socket.close()

    def request(self) -> SIPRequest:
        message = parse(self.socket.recv(65_535))
        assert isinstance(message, SIPRequest)
        return message

    def responses(self, *statuses: int) -> list[SIPResponse]:
        """Return the next responses, whose statuses must be these."""
        messages = [parse(self.socket.recv(65_535)) for _ in statuses]
        got = [message for message in messages if isinstance(message, SIPResponse)]
        assert [response.status for response in got] == list(statuses)
        return got

    def silent(self, seconds: float = 0.2) -> None:
        """Fail if anything comes within `seconds`."""
        self.socket.settimeout(seconds)
        with pytest.raises(TimeoutError):
            self.socket.recv(65_535)
        self.socket.settimeout(5)

    def answer(self, phone: SIPHandset, request: SIPRequest, status: int, *more: tuple[str, str]) -> None:
        """Answer a REGISTER; a 200 tells the binding unless `more` does."""
        expires = request.only("Expires")
        if status == 200 and expires != "0" and not more:
            more = (("Contact", request.only("Contact")),)
        copied = [(name, request.only(name)) for name in ("Via", "From", "Call-ID", "CSeq")]
        headers: Headers = (*copied, ("To", f"{request.only('To')};tag=registrar"), *more)
        self.say(phone, SIPResponse(status=status, reason="as the test says", headers=headers).encode())

    def say(self, phone: SIPHandset, datagram: bytes) -> None:
        self.socket.sendto(datagram, phone.address)

    def invite(
        self, phone: SIPHandset, method: str = "INVITE", *, branch: str = "1", cseq: int = 1, tag: str = ""
    ) -> None:
        """Say a request of the call `call-1`; `tag` is the phone's."""
        host, port = self.address
        request = SIPRequest(
            method=method,
            uri=f"sip:2001@{phone.address[0]}:{phone.address[1]};transport=udp",
            headers=(
                ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch};rport"),
                ("Record-Route", f"<sip:{host}:{port};lr>"),
                ("Max-Forwards", "70"),
                ("From", '"Bob \\"B\\" Müller" <sip:+15551230000@acme>;tag=caller'),
                ("To", "<sip:2001@acme>" + (f";tag={tag}" if tag else "")),
                ("Call-ID", "call-1"),
                ("CSeq", f"{cseq} {method}"),
            ),
        )
        self.say(phone, request.encode())


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


def handset(proxy: Proxy, **options: object) -> SIPHandset:
    usual: dict[str, object] = {
        "proxy": proxy.address,
        "token": "fX9_q:APA91bH-Example_Token~0123456789",
        "token_type": "firebase",
        "app_id": "com.example.softphone",
        "user": "2001",
        "realm": "acme.sip.example.com",
        "password": "s3cret",
    }
    return SIPHandset(**(usual | options))  # type: ignore[arg-type]


@pytest.fixture
def phone(proxy: Proxy) -> Iterator[SIPHandset]:
    with handset(proxy) as made:
        yield made
        assert made.violations == []


class Registering:
    """A registration under way in a thread of its own."""

    def __init__(self, phone: SIPHandset, **options: object) -> None:
        self._statuses: list[int] = []
        self._began = time.monotonic()
        self._thread = threading.Thread(target=lambda: self._statuses.append(phone.register(**options)))  # type: ignore[arg-type]
        self._thread.start()

    def status(self) -> int:
        self._thread.join(10)
        return self._statuses[0]


def test_a_registration_says_who_and_where_the_phone_is(proxy: Proxy, phone: SIPHandset):
    registering = Registering(phone)
    request = proxy.request()
    proxy.answer(phone, request, 200)
    assert registering.status() == 200
    assert phone.register_statuses == [200]
    assert (request.method, request.uri) == ("REGISTER", "sip:acme.sip.example.com")
    assert head(request).recipient.uri == "sip:2001@acme.sip.example.com"
    assert request.only("User-Agent") == 'ExamplePhone/3.2 (Android 14; "Pixel 8")'
    assert request.only("Contact").startswith('"Ann \\"A\\" O\'Neil" <')
    [binding] = contact.parse(request.only("Contact"))
    assert binding.uri == f"sip:2001@127.0.0.1:{phone.address[1]}"
    assert binding.uri_params == (("transport", "udp"),)
    assert binding.header_params == (
        ("app-id", "com.example.softphone"),
        ("pn-type", "firebase"),
        ("pn-tok", "fX9_q:APA91bH-Example_Token~0123456789"),
        ("+sip.instance", f"<{phone.instance}>"),
        ("expires", "600"),
    )
    assert not request.lines("Authorization")
    assert not request.lines("X-Token-Reg")


def test_no_two_phones_are_the_same_device(proxy: Proxy):
    assert handset(proxy).instance != handset(proxy).instance


def test_a_phone_of_rfc_8599_has_its_parameters_where_it_says(proxy: Proxy):
    with handset(proxy, contact_params=";pn-provider=fcm;pn-prid={token};pn-param=p>;x=y", token="tok") as phone:
        registering = Registering(phone)
        request = proxy.request()
        proxy.answer(phone, request, 200)
        assert registering.status() == 200
        [binding] = contact.parse(request.only("Contact"))
        assert binding.uri_params == (
            ("transport", "udp"),
            ("pn-provider", "fcm"),
            ("pn-prid", "tok"),
            ("pn-param", "p"),
        )
        assert [name for name, _ in binding.header_params] == ["x", "+sip.instance", "expires"]


@pytest.mark.parametrize(
    ("status", "asked", "answered"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
@pytest.mark.parametrize("challenge", CHALLENGES.values(), ids=CHALLENGES.keys())
def test_a_challenge_is_answered_once(
    proxy: Proxy, phone: SIPHandset, status: int, asked: str, answered: str, challenge: str
):
    registering = Registering(phone)
    first = proxy.request()
    proxy.answer(phone, first, status, (asked, challenge))
    second = proxy.request()
    said = second.only(answered)
    cnonce = re.search(r'cnonce="(\w+)"', said)
    expected = digest_answer(
        [challenge],
        method="REGISTER",
        uri="sip:acme.sip.example.com",
        user="2001",
        password="s3cret",
        cnonce=cnonce[1] if cnonce else None,
    )
    assert said == expected
    assert (head(second).call_id, head(second).sender.tag) == (head(first).call_id, head(first).sender.tag)
    assert head(second).cseq == head(first).cseq + 1
    assert head(second).via.branch != head(first).via.branch
    proxy.answer(phone, second, status, (asked, challenge))
    assert registering.status() == status


def test_an_old_nonce_is_replaced(proxy: Proxy, phone: SIPHandset):
    registering = Registering(phone)
    proxy.answer(phone, proxy.request(), 401, ("WWW-Authenticate", 'Digest realm="r", nonce="old"'))
    proxy.answer(phone, proxy.request(), 401, ("WWW-Authenticate", 'Digest realm="r", nonce="new", stale=true'))
    third = proxy.request()
    assert 'nonce="new"' in third.only("Authorization")
    proxy.answer(phone, third, 200)
    assert registering.status() == 200


def test_a_registrar_that_is_never_content_is_asked_four_times(proxy: Proxy, phone: SIPHandset):
    registering = Registering(phone)
    for _ in range(4):
        proxy.answer(phone, proxy.request(), 401, ("WWW-Authenticate", 'Digest realm="r", nonce="n", stale=true'))
    assert registering.status() == 401
    proxy.silent()


def test_a_registration_token_goes_in_contact_and_header_and_needs_no_credentials(proxy: Proxy, phone: SIPHandset):
    registering = Registering(phone, registration_token="58ecec69")
    request = proxy.request()
    proxy.answer(phone, request, 200)
    assert registering.status() == 200
    [binding] = contact.parse(request.only("Contact"))
    assert ("x-token-reg", "58ecec69") in binding.header_params
    assert request.only("X-Token-Reg") == "58ecec69"
    assert not request.lines("Authorization")


def test_a_binding_is_taken_back(proxy: Proxy, phone: SIPHandset):
    registering = Registering(phone, expires_s=0)
    request = proxy.request()
    proxy.answer(phone, request, 200)
    assert registering.status() == 200
    assert request.only("Expires") == "0"
    assert request.only("Contact").endswith(";expires=0")


def test_a_lost_registration_is_repeated_until_its_time_is_over(proxy: Proxy, phone: SIPHandset):
    began = time.monotonic()
    registering = Registering(phone)
    first = proxy.request()
    times = []
    for _ in range(3):
        assert proxy.request() == first
        times.append(time.monotonic() - began)
    assert registering.status() == 408
    assert 5.0 <= time.monotonic() - began < 6.0
    # Timer E: half a second, doubled up to four.
    assert times == [pytest.approx(expected, abs=0.4) for expected in (0.5, 1.5, 3.5)]


def test_after_a_provisional_answer_the_phone_is_patient(proxy: Proxy, phone: SIPHandset):
    registering = Registering(phone)
    request = proxy.request()
    proxy.answer(phone, request, 100)
    proxy.silent(1.0)
    proxy.answer(phone, request, 200)
    # An answer that comes twice is no violation: the first may have crossed a repeated request.
    proxy.answer(phone, request, 200)
    assert registering.status() == 200


def test_an_answer_that_is_wrong_is_noted_and_not_taken(proxy: Proxy):
    with handset(proxy) as phone:
        registering = Registering(phone)
        request = proxy.request()
        foreign = SIPRequest(
            method="REGISTER",
            uri=request.uri,
            headers=tuple((name, "9 REGISTER" if name == "CSeq" else value) for name, value in request.headers),
        )
        proxy.answer(phone, foreign, 200)
        proxy.say(phone, b"SIP/2.0 200 OK\r\n\r\n")
        proxy.answer(phone, request, 200, ("Contact", "<sip:2001@127.0.0.1:9>"))
        assert registering.status() == 200
        assert [re.sub(r"call \S+", "call _", violation) for violation in phone.violations] == [
            "200 of call _ answers nothing that was asked",
            "Via: is missing",
            "200 to REGISTER: Contact: of the registrar's 200 has 0 of this phone",
        ]


def test_a_call_is_answered_until_it_is_acknowledged_and_ended(proxy: Proxy, phone: SIPHandset):
    proxy.invite(phone)
    _, ringing, ok = proxy.responses(100, 180, 200)
    [repeated] = proxy.responses(200)
    assert repeated == ok
    tag = head(ok).recipient.tag or ""
    assert head(ringing).recipient.tag == tag
    assert ok.values("Record-Route") == (f"<sip:127.0.0.1:{proxy.address[1]};lr>",)
    proxy.invite(phone, "ACK", branch="2", tag=tag)
    # The next repetition would come a second after the last one.
    proxy.silent(1.5)
    [call] = phone.calls
    assert (call.call_id, call.caller) == ("call-1", 'Bob "B" Müller')
    assert call.answered_at is not None
    proxy.invite(phone, "BYE", branch="3", cseq=2, tag=tag)
    proxy.responses(200)
    assert call.ended == "bye"


def test_a_ringing_call_is_cancelled(proxy: Proxy):
    with handset(proxy, answers=False) as phone:
        proxy.invite(phone)
        proxy.responses(100, 180)
        proxy.invite(phone)
        proxy.responses(180)
        proxy.invite(phone, "CANCEL")
        proxy.responses(200, 487)
        assert [(call.answered_at, call.ended) for call in phone.calls] == [(None, "cancel")]
        assert phone.violations == []


def test_keepalives_are_no_messages(proxy: Proxy, phone: SIPHandset):
    for keepalive in (b"", b"\r\n\r\n", b"\0\0\0\0"):
        proxy.say(phone, keepalive)
    proxy.invite(phone, "OPTIONS")
    proxy.responses(200)


def test_what_is_no_sip_is_noted(proxy: Proxy):
    with handset(proxy) as phone:
        proxy.say(phone, b"GET / HTTP/1.1\r\n\r\n")
        until(lambda: phone.violations)
        assert phone.violations == ["SIP message: begins with neither a request line nor a status line"]


def test_a_sleeping_phone_hears_nothing_until_it_wakes(proxy: Proxy, phone: SIPHandset):
    phone.sleep()
    proxy.invite(phone)
    until(lambda: phone.missed == ["call-1"])
    proxy.silent()
    assert phone.calls == []
    phone.wake()
    proxy.invite(phone)
    proxy.responses(100, 180, 200)


def test_a_push_wakes_the_phone_which_registers_with_what_it_brought(proxy: Proxy):
    with handset(proxy, wake_delay_s=0.3) as phone:
        phone.sleep()
        began = time.monotonic()
        phone.pushed({"registration-token": "58ecec69"})
        request = proxy.request()
        assert request.only("X-Token-Reg") == "58ecec69"
        [pushed_at], [woken_at] = phone.pushed_at, phone.woken_at
        assert began <= pushed_at
        assert woken_at - pushed_at >= 0.3
        proxy.answer(phone, request, 200)
        until(lambda: phone.register_statuses == [200])
        proxy.invite(phone)
        proxy.responses(100, 180, 200)
        assert phone.violations == []


def test_a_phone_that_sleeps_too_deeply_only_notes_the_push(proxy: Proxy):
    with handset(proxy, wakes=False) as phone:
        phone.sleep()
        phone.pushed({})
        assert len(phone.pushed_at) == 1
        proxy.silent()
        assert phone.woken_at == []


def test_a_phone_that_is_closed_gives_up_what_it_was_at(proxy: Proxy):
    phone, waking = handset(proxy).start(), handset(proxy, wake_delay_s=60).start()
    began = time.monotonic()
    phone.pushed({})
    proxy.request()
    waking.pushed({})
    phone.close()
    waking.close()
    assert time.monotonic() - began < 2
    phone.close()
    phone.pushed({})
    assert phone.register_statuses == [408]
    assert waking.woken_at == []
    proxy.silent()


@pytest.mark.parametrize("kind", AppKind)
def test_a_phone_of_the_stage_is_woken_by_its_push(tmp_path: Path, bus_url: str, proxy: Proxy, kind: AppKind):
    with Stage(tmp_path, bus_url) as stage:
        phone = stage.sip_handset(kind, proxy=proxy.address, password="s3cret", user="2001", answers=False)
        provider = stage.fcm if kind is AppKind.FIREBASE else stage.apns
        payload = {"registration-token": "58ecec69"}
        provider.ring(phone.token, {"data": payload} if kind is AppKind.FIREBASE else payload, {})
        request = proxy.request()
        assert (request.only("X-Token-Reg"), phone.user) == ("58ecec69", "2001")
        assert f";app-id={kind};pn-type={kind.token_type};pn-tok={phone.token};" in request.only("Contact")
        proxy.answer(phone, request, 200)
        until(lambda: phone.register_statuses == [200])
