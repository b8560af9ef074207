"""What a registration says of its phone: rules first, then RFC 8599, and only apps that the settings know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.errors import DocumentsUnavailable
from pusher.messages.registration import Registration
from pusher.push.app import App, AppleApp, FirebaseApp, ProviderName, TokenKey
from pusher.registration import reading
from pusher.registration.reading import FindApp, Reading
from pusher.registration.rfc8599 import RefusalReason
from pusher.registration.user_agents import UserAgentRule

KEY = TokenKey(key_id="ABCDE12345", team_id="TEAM123456", private_key="k")
RULE = UserAgentRule.of("Old", "^Linphone", {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"})
VOIP = "pn-provider=apns;pn-param=T1.org.x.voip;pn-prid=AB12:voip"
FCM = "pn-provider=fcm;pn-param=example-7;pn-prid=fX9:APA"
IDS = {"Account-ID": "0" * 32, "Authorizing-ID": "d1"}


def knows(*apps: App) -> FindApp:
    """Settings that hold `apps`; one named `default` serves all others."""
    held = {(app.app_id, type(app)): app for app in apps}
    kinds = {ProviderName.APPLE: AppleApp, ProviderName.FIREBASE: FirebaseApp}

    def find(app_id: str, provider: ProviderName, *, own: bool = False) -> App | None:
        kind = kinds[provider]
        return held.get((app_id, kind)) or (None if own else held.get(("default", kind)))

    return find


def apple(app_id: str) -> AppleApp:
    return AppleApp(app_id=app_id, token_key=KEY)


def read(params: str, *apps: App, rules: tuple[UserAgentRule, ...] = (), **fields: object) -> Reading:
    message = {"Contact": f"<sip:u@h;{params}>", "User-Agent": "Linphone/5.2", "Proxy-Path": "sip:p", **IDS}
    return reading.read(Registration.from_message(message | fields), rules, knows(*apps))


def learned(found: Reading) -> dict[str, str] | None:
    return None if found.push_object is None else found.push_object.to_json()


@pytest.mark.parametrize(
    ("params", "app", "expected"),
    [
        (VOIP, apple("org.x.voip"), {"Token-App": "org.x.voip", "Token-Type": "apple", "Token-ID": "AB12"}),
        (
            FCM,
            FirebaseApp(app_id="example-7", service_account={"project_id": "x"}),
            {"Token-App": "example-7", "Token-Type": "firebase", "Token-ID": "fX9:APA"},
        ),
    ],
)
def test_a_phone_without_a_rule_is_learned_by_rfc_8599(params: str, app: App, expected: dict[str, str]) -> None:
    found = read(params, app)
    assert learned(found) == expected | {"Token-Proxy": "sip:p"}
    assert (found.token, found.by_rfc8599, found.refusal) == (expected["Token-ID"], True, None)


def test_a_rule_that_finds_a_token_goes_before_rfc_8599() -> None:
    found = read(f"{VOIP};app-id=a;pn-type=apple;pn-tok=t", apple("org.x.voip"), rules=(RULE,))
    assert learned(found) == {"Token-App": "a", "Token-Type": "apple", "Token-ID": "t", "Token-Proxy": "sip:p"}
    assert not found.by_rfc8599


def test_a_rule_that_finds_no_token_leaves_the_phone_to_rfc_8599() -> None:
    found = read(f"{VOIP};app-id=a", apple("org.x.voip"), rules=(RULE,))
    assert (found.rule, found.token, found.by_rfc8599) == (RULE, "AB12", True)
    assert learned(found) is not None


def test_an_old_phone_s_app_need_not_be_known() -> None:
    """The rule is the operator's word for it, as in Kazoo."""
    assert learned(read("pn-tok=t", rules=(RULE,))) == {"Token-ID": "t", "Token-Proxy": "sip:p"}


def test_somebody_else_s_app_is_not_learned_but_its_calls_are_found() -> None:
    found = read(VOIP, apple("org.y.voip"))
    assert (found.push_object, found.token) == (None, "AB12")
    assert found.refusal is not None
    assert (found.refusal.reason, found.refusal.app_id) == (RefusalReason.UNKNOWN_APP, "org.x.voip")


@pytest.mark.parametrize(
    ("known", "app_id"),
    [(("org.x.voip.prod",), "org.x.voip.prod"), (("org.x.voip.prod", "org.x.voip"), "org.x.voip")],
)
def test_an_apple_app_known_with_prod_behind_it_is_learned_under_that_id(known: tuple[str, ...], app_id: str) -> None:
    found = read(VOIP, *(apple(each) for each in known))
    assert found.push_object is not None
    assert found.push_object.app_id == app_id


def test_an_entry_of_its_own_goes_before_the_default_s_credential() -> None:
    found = read(VOIP, apple("default"), apple("org.x.voip.prod"))
    assert found.push_object is not None
    assert found.push_object.app_id == "org.x.voip.prod"


def test_a_default_credential_serves_any_app_but_a_legacy_key_none() -> None:
    assert learned(read(VOIP, apple("default"))) is not None
    assert learned(read(FCM, FirebaseApp(app_id="default", service_account={}))) is not None
    assert learned(read(FCM, FirebaseApp(app_id="default", api_key="legacy"))) is None


def test_a_sandbox_phone_is_not_the_production_app_s() -> None:
    params = VOIP.replace("apns", "apns.dev")
    assert learned(read(params, apple("org.x.voip"), apple("org.x.voip.prod"))) is None
    assert learned(read(params, apple("org.x.voip.dev"))) is not None


@pytest.mark.parametrize(
    ("params", "app"),
    [
        (VOIP, AppleApp(app_id="org.x.voip", host="localhost")),
        (VOIP, FirebaseApp(app_id="org.x.voip", service_account={})),
        (FCM, FirebaseApp(app_id="example-7", host="localhost")),
        (FCM, FirebaseApp(app_id="example-7.prod", service_account={})),
    ],
)
def test_settings_without_a_credential_for_the_provider_make_no_app_known(params: str, app: App) -> None:
    found = read(params, app)
    assert found.refusal is not None
    assert found.refusal.reason is RefusalReason.UNKNOWN_APP


@pytest.mark.parametrize(
    ("params", "app"),
    [
        (VOIP, AppleApp(app_id="org.x.voip", certificate="PEM", enabled=False)),
        (FCM, FirebaseApp(app_id="example-7", api_key="legacy")),
    ],
)
def test_an_app_that_is_disabled_or_has_a_legacy_key_is_known(params: str, app: App) -> None:
    assert learned(read(params, app)) is not None


@pytest.mark.parametrize("prid", ["t%0D%0AX-Evil:%201", "t%00", "x" * 4097])
def test_a_token_that_must_not_become_a_sip_header_is_refused_and_is_no_fault_of_the_message(prid: str) -> None:
    app = FirebaseApp(app_id="example-7", service_account={})
    found = read(f"pn-provider=fcm;pn-param=example-7;pn-prid={prid}", app)
    assert (found.push_object, found.problem) == (None, None)
    assert found.refusal is not None
    assert found.refusal.reason is RefusalReason.UNSAFE_VALUE


def test_while_no_settings_were_read_nothing_is_learned_and_calls_are_found() -> None:
    def away(app_id: str, provider: ProviderName, *, own: bool = False) -> App | None:
        raise DocumentsUnavailable("away")

    message = {"Contact": f"<sip:u@h;{VOIP}>"}
    found = reading.read(Registration.from_message(message), (), away)
    assert (found.push_object, found.token) == (None, "AB12")
    assert found.refusal is not None
    assert found.refusal.reason is RefusalReason.SETTINGS_UNAVAILABLE


@pytest.mark.parametrize("contact", ["<sip:u@h", "<sip:u@h>;app-id=x;pn-tok=t"])
def test_the_contact_of_a_desk_phone_is_not_even_parsed(contact: str) -> None:
    assert read("", Contact=contact) == Reading()


def test_a_binding_that_is_removed_says_nothing() -> None:
    assert read("", apple("org.x.voip"), Contact=f"<sip:u@h;{VOIP}>;expires=0") == Reading()


def test_a_contact_beyond_reading_is_a_problem_and_no_refusal() -> None:
    found = read("", Contact=f"<sip:u@h;{VOIP}", **{"X-Token-Reg": "reg-1"})
    assert found.problem is not None
    assert found.problem.field == "Contact"
    assert (found.refusal, found.registration_token) == (None, "reg-1")


def test_no_secret_shows_in_a_reading() -> None:
    shown = repr(read(f"{VOIP};x-token-reg=reg-1", apple("org.x.voip")))
    assert "AB12" not in shown
    assert "reg-1" not in shown


@given(st.text(), st.sampled_from(["", "pn-tok=t", VOIP, FCM, "pn-provider", "x-token-reg=r"]), st.text(max_size=40))
def test_whatever_a_registration_says_reading_it_raises_nothing(before: str, params: str, behind: str) -> None:
    message = {"Contact": f"{before}<sip:u@h;{params}{behind}>", "User-Agent": before, "Account-ID": behind}
    found = reading.read(
        Registration.from_message(message | {"Authorizing-ID": before}), (RULE,), knows(apple("org.x.voip"))
    )
    assert found.push_object is None or found.push_object.token == found.token
