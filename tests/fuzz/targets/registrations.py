"""What a phone says of itself when it registers: Contact, User-Agent, and what is read out of them."""

import json

from pusher.errors import MessageInvalid, SettingsInvalid
from pusher.messages.registration import Registration
from pusher.push.app import App, AppleApp, ProviderName, TokenKey
from pusher.registration import contact, push_object, reading, rfc8599
from pusher.registration.user_agents import UserAgentRule, first_match
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target

RULES = (
    UserAgentRule.of("Any", "^Phone", {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"}),
    UserAgentRule.of("Old", "^Old", {"Token-ID": "token", "Token-Proxy": "Proxy-Path", "X": "+sip.instance"}),
)
APP = AppleApp(app_id="org.x.voip", token_key=TokenKey(key_id="K", team_id="T", private_key="P"))
CONTACTS = (
    b'"Ann \\"A\\" O\'Neil" <sip:2001@127.0.0.1:15090;transport=udp>;app-id=com.example;pn-type=firebase;'
    b'pn-tok=fX9_q:APA91bH-Example;+sip.instance="<urn:uuid:00000000-0000-4000-8000-0000deadbeef>";expires=600',
    b"<sip:u@h;pn-provider=apns;pn-param=T1.org.x.voip&remote;pn-prid=AB12:voip&CD34:remote>;q=0.5",
    b"sip:u@h;pn-provider=fcm;pn-param=example-7;pn-prid=fX9%3AAPA;x-token-reg=1, <sip:a@b>;expires=0",
    b"*",
)


def check_contact(data: bytes) -> None:
    """A header becomes bindings or `MessageInvalid`; reading a registration raises nothing at all."""
    agent, _, header = data.decode("utf-8", "replace").partition("\n")
    try:
        bindings = contact.parse(header)
    except MessageInvalid:
        bindings = ()
    for binding in bindings:
        assert binding.uri.strip()
        assert all(binding.param(name) is not None for name, _ in binding.uri_params + binding.header_params)
    said = rfc8599.read(bindings)
    if isinstance(said, rfc8599.PushParams):
        assert said.token
        assert said.app_id.isprintable()
        assert len(said.app_id) <= 140
    message = {
        "Contact": header,
        "User-Agent": agent,
        "Proxy-Path": agent,
        "Account-ID": "0" * 32,
        "Authorizing-ID": agent,
    }
    if header:
        _check_reading(reading.read(Registration.from_message(message), RULES, _find_app))


def _check_reading(found: reading.Reading) -> None:
    if found.push_object is not None:
        written = found.push_object.to_json()
        assert all(isinstance(value, str) and value.isprintable() and value for value in written.values())
        assert push_object.of(json.loads(json.dumps(written))) == found.push_object
        assert found.token == found.push_object.token
    if found.refusal is not None and found.refusal.provider is not None:
        assert found.refusal.provider.isprintable()
    if found.device is not None:
        assert ".." not in found.device.database
        assert "/" not in found.device.device_id


def _find_app(app_id: str, provider: ProviderName, *, own: bool = False) -> App | None:
    return APP if provider is ProviderName.APPLE and app_id == APP.app_id else None


def check_user_agents(data: bytes) -> None:
    """Whatever an operator wrote into rules and a stranger into User-Agent, a registration's search is soon over."""
    draw = Draw(data)
    rules = []
    for number in range(1 + draw.byte() % 8):
        try:
            rules.append(UserAgentRule.of(f"R{number}", draw.text(), {"Token-ID": draw.text() or "t"}))
        except SettingsInvalid as error:
            assert str(error).isprintable()
    found = first_match(rules, draw.text())
    assert found is None or found in rules


CONTACT = Target(
    name="contact",
    check=check_contact,
    seeds=tuple(b"Phone/1\n" + header for header in CONTACTS) + tuple(b"Old\n" + header for header in CONTACTS),
    words=(b"pn-provider=", b"pn-param=", b"pn-prid=", b"pn-tok=", b"%0d%0a", b":voip", b"&", b'"', b"<", b"expires=0"),
)
USER_AGENTS = Target(
    name="user_agents",
    check=check_user_agents,
    seeds=(
        b"\x01" + b"\x2a^Linphone.*/[0-9.]+$" + b"\x12t" * 2 + b"\x1c(?i)^phone" + b"\x12pn" + b"\x30LinphoneiOS/5.2",
        b"\x00" + bytes([16 + 6]) + b"(a+)+$" + b"\x11t" + b"\x09" + b"a" * 500 + b"!",
        b"\x03" + (b"\x1c(a|aa)+$ab" + b"\x11t") * 4 + b"\x09" + b"a" * 512,
    ),
    words=(b"(a+)+$", b"(?:a|a?)+", b"(.*)*", b"{1,999}", b"(?R)", b"(?<x>", b"\\p{L}", b"[[a]--[b]]", b"(?e){e<=3}"),
)
