"""Push parameters of RFC 8599, as phones write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.errors import MessageInvalid
from pusher.push.app import ProviderName
from pusher.registration import contact, rfc8599
from pusher.registration.rfc8599 import PushParams, Refusal, RefusalReason

V, R = "D4BF" * 16, "1538" * 16
VOIP, REMOTE, BOTH = "T1.org.x.voip", "T1.org.x.remote", "T1.org.x.voip&remote"
AMBIGUOUS = RefusalReason.AMBIGUOUS_TOKENS


def read(*params: str) -> PushParams | Refusal | None:
    """Read bindings with these URI parameters."""
    return rfc8599.read(contact.parse(", ".join(f"<sip:u@h;{each};transport=tls>" for each in params)))


def apns(param: str, prid: str, provider: str = "apns") -> PushParams | RefusalReason:
    found = read(f"pn-provider={provider};pn-param={param};pn-prid={prid}")
    assert found is not None
    return found.reason if isinstance(found, Refusal) else found


def test_linphone_on_ios_registers_two_tokens_and_the_one_for_calls_counts() -> None:
    """As in BelledonneCommunications/flexisip#100; the team is liblinphone's placeholder."""
    found = read(
        f"pn-provider=apns;pn-prid={R}:remote&{V}:voip;pn-param=ABCD1234.org.linphone.phone.remote&voip"
        ";pn-msg-str=IM_MSG;pn-call-str=IC_MSG;pn-timeout=0;pn-silent=1"
    )
    assert found == PushParams(provider=ProviderName.APPLE, app_id="org.linphone.phone.voip", token=V)
    assert V not in repr(found)


@pytest.mark.parametrize("provider", ["fcm", "FCM", "firebase", "android"])
def test_an_fcm_token_is_taken_whole(provider: str) -> None:
    token = "fX9_q:APA91bH-Example_Token~0123456789"
    assert read(f"pn-provider={provider};pn-param=example-7;pn-prid={token}") == PushParams(
        provider=ProviderName.FIREBASE, app_id="example-7", token=token
    )


@pytest.mark.parametrize(
    ("param", "app_id"),
    [
        (VOIP, "org.x.voip"),
        (REMOTE, "org.x"),
        ("T1.org.x", "org.x"),
        ("T1.x", "x"),
        ("T1.org.x.y-z.VoIP", "org.x.y-z.voip"),
        ("T1.org.x.voip.prod", "org.x.voip.prod"),
    ],
)
def test_the_first_dot_ends_the_team_and_the_last_label_may_name_the_service(param: str, app_id: str) -> None:
    found = apns(param, V)
    assert isinstance(found, PushParams)
    assert found.app_id == app_id


@pytest.mark.parametrize(("param", "app_id"), [(VOIP, "org.x.voip.dev"), ("T1.org.x", "org.x.dev")])
def test_the_sandbox_is_an_app_of_its_own(param: str, app_id: str) -> None:
    found = apns(param, V, "apns.dev")
    assert isinstance(found, PushParams)
    assert (found.provider, found.app_id) == (ProviderName.APPLE, app_id)


@pytest.mark.parametrize(
    ("param", "prid", "expected"),
    [
        # One service: its token with or without label.
        (VOIP, f"{V}", ("org.x.voip", V)),
        (VOIP, f"{V}:voip", ("org.x.voip", V)),
        (VOIP, f"{V}:", ("org.x.voip", V)),
        (VOIP, f"{V}&", ("org.x.voip", V)),
        (REMOTE, f"{R}", ("org.x", R)),
        (REMOTE, f"{R}:remote", ("org.x", R)),
        # A label for a service that the app does not have names no token for a call.
        (VOIP, f"{R}:remote", AMBIGUOUS),
        (REMOTE, f"{V}:voip", AMBIGUOUS),
        ("T1.org.x", f"{V}:voip", AMBIGUOUS),
        # One service, two tokens: a label tells which, whatever the other one is.
        (VOIP, f"{V}:voip&{R}:remote", ("org.x.voip", V)),
        (VOIP, f"{V}:voip&{R}", ("org.x.voip", V)),
        (VOIP, f"{R}:remote&{V}", ("org.x.voip", V)),
        (VOIP, f"{V}&{R}:remote", ("org.x.voip", V)),
        (REMOTE, f"{V}:voip&{R}:remote", ("org.x", R)),
        (REMOTE, f"{V}:voip&{R}", ("org.x", R)),
        (VOIP, f"{V}&{R}", AMBIGUOUS),
        (REMOTE, f"{V}&{R}", AMBIGUOUS),
        # Two services, both labelled, in either order.
        (BOTH, f"{V}:voip&{R}:remote", ("org.x.voip", V)),
        (BOTH, f"{R}:remote&{V}:voip", ("org.x.voip", V)),
        # Two services, one label missing: that token takes the service that is left.
        (BOTH, f"{V}:voip&{R}", ("org.x.voip", V)),
        (BOTH, f"{R}&{V}:voip", ("org.x.voip", V)),
        (BOTH, f"{R}:remote&{V}", ("org.x.voip", V)),
        (BOTH, f"{V}&{R}:remote", ("org.x.voip", V)),
        (BOTH, f"{V}:VOIP&{R}", ("org.x.voip", V)),
        # Two services, one token: its label decides, and without one nobody knows.
        (BOTH, f"{V}:voip", ("org.x.voip", V)),
        (BOTH, f"{V}:voip&", ("org.x.voip", V)),
        (BOTH, f"{R}:remote", ("org.x", R)),
        (BOTH, f"&{R}:remote", ("org.x", R)),
        (BOTH, f"{V}", AMBIGUOUS),
        (BOTH, f"&{V}", AMBIGUOUS),
        # Two services, no label; one label twice; three tokens; labels nobody knows.
        (BOTH, f"{V}&{R}", AMBIGUOUS),
        (BOTH, f"{V}:voip&{R}:voip", AMBIGUOUS),
        (BOTH, f"{V}:remote&{R}:remote", AMBIGUOUS),
        (BOTH, f"{V}:voip&{R}&{R}", AMBIGUOUS),
        (BOTH, f"{V}:voip&{R}:silent", AMBIGUOUS),
        (BOTH, f"{V}:voip:voip&{R}:remote", AMBIGUOUS),
        (BOTH, f":voip&{R}:remote", AMBIGUOUS),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("encoded", [False, True])
def test_which_of_two_tokens_counts_for_a_call(
    param: str, prid: str, expected: tuple[str, str] | RefusalReason, swapped: bool, encoded: bool
) -> None:
    if swapped:
        param = param.replace("voip&remote", "remote&voip")
    if encoded:
        param, prid = (text.replace("&", "%26").replace(":", "%3A") for text in (param, prid))
    found = apns(param, prid)
    if isinstance(expected, RefusalReason):
        assert found is expected
    else:
        assert isinstance(found, PushParams)
        assert (found.app_id, found.token) == expected


@pytest.mark.parametrize(
    "param",
    [
        "",
        "T1",
        "T1.",
        ".org.x",
        "T1.voip",
        "T1..voip",
        "T1.org.x.voip&",
        "T1.org.x.voip&silent",
        "T1.org.x y",
        "T1.org.x%0D%0AX",
        f"T1.{'x.' * 64}x",
        f"T1.{V}",
        "T1.-x",
        "T!.org.x",
    ],
)
def test_a_pn_param_that_names_no_apple_app_is_refused(param: str) -> None:
    assert apns(param, V) is RefusalReason.MALFORMED_PARAM


@pytest.mark.parametrize(
    "param", ["", "a%20b", "a%00", "a..b", "a.b" * 43, V, "fX9_q:APA91bH-a-token-in-the-wrong-place"]
)
def test_a_pn_param_that_names_no_project_is_refused_and_not_shown(param: str) -> None:
    assert read(f"pn-provider=fcm;pn-param={param};pn-prid=t") == Refusal(
        reason=RefusalReason.MALFORMED_PARAM, provider="fcm"
    )


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ("pn-provider", Refusal(reason=RefusalReason.CAPABILITY_QUERY)),
        ("pn-provider=", Refusal(reason=RefusalReason.CAPABILITY_QUERY)),
        (
            "pn-provider=webpush;pn-param=x;pn-prid=y",
            Refusal(reason=RefusalReason.UNSUPPORTED_PROVIDER, provider="webpush"),
        ),
        ("pn-provider=%1B[2J;pn-prid=y", Refusal(reason=RefusalReason.UNSUPPORTED_PROVIDER)),
        (f"pn-provider={V};pn-prid=y", Refusal(reason=RefusalReason.UNSUPPORTED_PROVIDER)),
        (f"pn-provider=apns;pn-param={VOIP}", Refusal(reason=RefusalReason.NO_TOKEN, provider="apns")),
        (f"pn-provider=apns;pn-param={VOIP};pn-prid=&", Refusal(reason=RefusalReason.NO_TOKEN, provider="apns")),
        ("pn-provider=fcm;pn-param=x;pn-prid", Refusal(reason=RefusalReason.NO_TOKEN, provider="fcm")),
    ],
)
def test_what_cannot_be_pushed_to_is_refused_with_a_reason(params: str, refusal: Refusal) -> None:
    assert read(params) == refusal


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_reason_has_a_sentence(reason: RefusalReason) -> None:
    assert Refusal(reason=reason).sentence.endswith(".")


def test_header_parameters_serve_as_well() -> None:
    found = rfc8599.read(contact.parse('"Ann" <sip:u@h>;PN-Provider=fcm;pn-param=x;pn-prid="a:b";expires=600'))
    assert found == PushParams(provider=ProviderName.FIREBASE, app_id="x", token="a:b")


def test_without_pn_provider_there_is_nothing_to_read() -> None:
    assert read("pn-param=T1.org.x;pn-prid=t", "app-id=x") is None
    assert rfc8599.read(()) is None


def test_of_several_bindings_the_first_that_can_be_understood_counts_else_the_first_refusal() -> None:
    query, web, good, other = (
        "pn-provider",
        "pn-provider=webpush;pn-prid=w",
        "pn-provider=fcm;pn-param=x;pn-prid=1",
        "pn-provider=fcm;pn-param=x;pn-prid=2",
    )
    found = read("a=b", web, query, good, other)
    assert isinstance(found, PushParams)
    assert found.token == "1"
    assert read("a=b", web, query) == Refusal(reason=RefusalReason.UNSUPPORTED_PROVIDER, provider="webpush")


@pytest.mark.parametrize(
    ("header", "holds"), [("<sip:u@h;PN-Provider=fcm>", True), ("<sip:u@h>;pn-provider", True), ("<sip:u@h>", False)]
)
def test_a_glance_at_the_header_tells_whether_to_parse_it(header: str, holds: bool) -> None:
    assert rfc8599.may_hold(header) is holds


WORDS = st.sampled_from(["voip", "remote", "&", ":", ".", "T1", "org", "%26", "%0d%0a", "%00", "é", "=", '"', ";", ","])
HOSTILE = st.lists(WORDS | st.text(max_size=5), max_size=12).map("".join)


@given(st.sampled_from(["apns", "apns.dev", "fcm", "webpush"]) | HOSTILE, HOSTILE, HOSTILE)
def test_whatever_a_stranger_writes_is_understood_or_refused(provider: str, param: str, prid: str) -> None:
    try:
        bindings = contact.parse(f"<sip:u@h;pn-provider={provider};pn-param={param};pn-prid={prid}>")
    except MessageInvalid:
        return
    found = rfc8599.read(bindings)
    if isinstance(found, PushParams):
        assert found.app_id.isascii()
        assert found.app_id.isprintable()
        assert len(found.app_id) <= 140
        assert found.token
    elif found is not None:
        assert found.provider is None or (found.provider.isprintable() and len(found.provider) <= 32)


@given(
    st.permutations([("voip", V), ("remote", R)]),
    st.tuples(st.booleans(), st.booleans()).filter(any),
    st.permutations(["voip", "remote"]),
)
def test_one_label_is_enough_in_every_order(
    tokens: list[tuple[str, str]], labelled: tuple[bool, bool], services: list[str]
) -> None:
    parts = [f"{token}:{name}" if shown else token for (name, token), shown in zip(tokens, labelled, strict=True)]
    assert apns(f"T1.org.x.{'&'.join(services)}", "&".join(parts)) == PushParams(
        provider=ProviderName.APPLE, app_id="org.x.voip", token=V
    )
