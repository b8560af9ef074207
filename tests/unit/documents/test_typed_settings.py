"""Which setting of the pusher document counts, at which level, and what is skipped."""

import copy
import json
import logging
from typing import Any

import pytest

from pusher.documents.sealed import SecretKeys, make_key, name_of
from pusher.documents.typed_settings import TypedSettings
from pusher.push.app import AppleApp, FirebaseApp, ProviderName, TokenKey

APPLE, FIREBASE = ProviderName.APPLE, ProviderName.FIREBASE
APP = "org.example.app"
KEY = {"key_id": "ABC123DEFG", "team_id": "DEF123GHIJ", "private_key": "-----BEGIN PRIVATE KEY-----"}
LOST = make_key()
KEYS = SecretKeys((make_key(),))
RULE = {"regex": "^Linphone", "properties": {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"}}


def settings(document: dict[str, Any], zone: str | None = None) -> TypedSettings:
    """Return what `document` says, as read from a store."""
    return TypedSettings.of({"_id": "pusher", "_rev": "1-a", "pvt_type": "config", **document}, zone)


def skipped(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the paths that the log names as skipped."""
    assert {record.levelno for record in caplog.records} <= {logging.WARNING}
    return [record.fields["setting"] for record in caplog.records]  # type: ignore[attr-defined]


def test_every_setting_of_an_apple_app_is_read() -> None:
    document = {
        APP: {
            "apple": {
                "certificate": "<PEM>",
                "token_key": KEY,
                "host": "api.sandbox.push.apple.com:2197",
                "headers": {"apns_push_type": "voip", "apns-priority": 10},
                "apns_topic": "org.example.app.voip",
                "push_type": "voip",
                "enabled": False,
                "unknown": {"kept": "untouched"},
            }
        }
    }
    assert settings(document).app(APP, APPLE) == AppleApp(
        app_id=APP,
        enabled=False,
        host="api.sandbox.push.apple.com:2197",
        certificate="<PEM>",
        token_key=TokenKey(**KEY),
        topic="org.example.app.voip",
        push_type="voip",
        headers={"apns_push_type": "voip", "apns-priority": "10"},
    )


def test_every_setting_of_a_firebase_app_is_read() -> None:
    account = {"type": "service_account", "client_email": "x@y", "private_key": "<PEM>"}
    document = {APP: {"firebase": {"api_key": "AAAA", "service_account": {**account, "odd": 1}, "host": "localhost:1"}}}
    assert settings(document).app(APP, FIREBASE) == FirebaseApp(
        app_id=APP, host="localhost:1", api_key="AAAA", service_account=account
    )


def test_what_is_absent_null_or_empty_has_its_default(caplog: pytest.LogCaptureFixture) -> None:
    document = {APP: {"apple": {"host": "", "certificate": None, "apns_topic": ""}, "firebase": {}}}
    assert settings(document).app(APP, APPLE) == AppleApp(app_id=APP)
    assert settings(document).app(APP, FIREBASE) == FirebaseApp(app_id=APP)
    assert skipped(caplog) == []


def test_a_provider_that_no_level_knows_is_none() -> None:
    assert settings({APP: {"apple": {}}}).app(APP, FIREBASE) is None
    assert settings({APP: {"apple": {}}}).app("org.other", APPLE) is None
    assert settings({}).app(APP, APPLE) is None


def test_each_setting_is_looked_up_at_the_app_then_the_zone_then_the_default() -> None:
    document = {
        "default": {"firebase": {"api_key": "D", "host": "d", "enabled": False}},
        "west": {"firebase": {"host": "z", "enabled": False}},
        APP: {"firebase": {"enabled": True}},
    }
    in_zone, nowhere = settings(document, "west"), settings(document)
    assert in_zone.app(APP, FIREBASE) == FirebaseApp(app_id=APP, api_key="D", host="z", enabled=True)
    assert nowhere.app(APP, FIREBASE) == FirebaseApp(app_id=APP, api_key="D", host="d", enabled=True)
    assert in_zone.app("new", FIREBASE) == FirebaseApp(app_id="new", api_key="D", host="z", enabled=False)


@pytest.mark.parametrize("app_id", ["org.new", "default", "_id", "_rev", "pvt_type", ""])
def test_an_app_without_a_level_of_its_own_has_the_default_s_settings(app_id: str) -> None:
    """As in Kazoo; and a stranger's Token-App finds nothing else."""
    app = settings({"default": {"apple": {"certificate": "<PEM>"}}}).app(app_id, APPLE)
    assert app == AppleApp(app_id=app_id, certificate="<PEM>")


def test_an_app_with_another_provider_only_has_the_default_s_settings() -> None:
    document = {"default": {"apple": {"certificate": "<PEM>"}}, APP: {"firebase": {}}}
    assert settings(document).app(APP, APPLE) == AppleApp(app_id=APP, certificate="<PEM>")


def test_the_default_s_key_does_not_outrank_the_app_s_own_certificate() -> None:
    document = {"default": {"apple": {"token_key": KEY}}, APP: {"apple": {"certificate": "<PEM>"}}}
    assert settings(document).app(APP, APPLE) == AppleApp(app_id=APP, certificate="<PEM>")


def test_the_default_s_service_account_serves_an_app_with_a_legacy_key() -> None:
    """A legacy key no longer works: this is how a whole installation moves to FCM v1 with one setting."""
    account = {"client_email": "x@y"}
    document = {"default": {"firebase": {"service_account": account}}, APP: {"firebase": {"api_key": "AAAA"}}}
    app = settings(document).app(APP, FIREBASE)
    assert app == FirebaseApp(app_id=APP, api_key="AAAA", service_account=account)


@pytest.mark.parametrize(("value", "enabled"), [(True, True), (False, False), ("true", True), ("false", False)])
def test_enabled_is_a_flag_or_its_name(value: object, enabled: bool) -> None:
    app = settings({APP: {"apple": {"enabled": value}}}).app(APP, APPLE)
    assert app is not None
    assert app.enabled is enabled


@pytest.mark.parametrize(
    ("provider", "name", "value"),
    [
        (APPLE, "enabled", 0),
        (APPLE, "enabled", "SECRET"),
        (APPLE, "host", 443),
        (APPLE, "certificate", {"SECRET": 1}),
        (APPLE, "apns_topic", ["SECRET"]),
        (APPLE, "push_type", 1),
        (APPLE, "headers", ["SECRET"]),
        (APPLE, "headers", {"authorization": ["SECRET"]}),
        (APPLE, "token_key", "SECRET"),
        (APPLE, "token_key", {**KEY, "team_id": ""}),
        (APPLE, "token_key", {"private_key": "SECRET"}),
        (FIREBASE, "enabled", "SECRET"),
        (FIREBASE, "host", True),
        (FIREBASE, "api_key", 12345),
        (FIREBASE, "service_account", "SECRET"),
    ],
)
def test_a_setting_that_cannot_be_used_is_skipped_and_named_but_not_quoted(
    provider: ProviderName, name: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    sound = {"apple": {"apns_topic": "t"}, "firebase": {"api_key": "AAAA"}}
    broken = copy.deepcopy(sound)
    broken[provider][name] = value  # type: ignore[assignment]
    typed = settings({APP: broken, "org.other": sound})
    without = copy.deepcopy(sound)
    without[provider].pop(name, None)
    assert typed.app(APP, provider) == settings({APP: without}).app(APP, provider)
    assert typed.app("org.other", provider) == settings({"org.other": sound}).app("org.other", provider)
    assert skipped(caplog) == [f"{APP}.{provider}.{name}"]
    assert "SECRET" not in str([record.__dict__ for record in caplog.records])


def test_a_broken_setting_of_the_app_falls_back_to_the_default() -> None:
    document = {"default": {"apple": {"host": "d"}}, APP: {"apple": {"host": 1}}}
    app = settings(document).app(APP, APPLE)
    assert app is not None
    assert app.host == "d"


def test_a_broken_default_is_told_once_however_many_apps_look_at_it(caplog: pytest.LogCaptureFixture) -> None:
    document = {"default": {"apple": {"host": 1}}, **{f"org.{n}": {"apple": {}} for n in range(5)}}
    settings(document)
    assert skipped(caplog) == ["default.apple.host"]


@pytest.mark.parametrize("level", ["text", 1, [], True])
def test_a_level_or_section_of_another_kind_disables_only_itself(
    level: object, caplog: pytest.LogCaptureFixture
) -> None:
    document = {"default": level, APP: {"apple": level, "firebase": {}}, "org.x": level, "org.y": {"apple": {}}}
    typed = settings(document)
    assert typed.app("org.y", APPLE) == AppleApp(app_id="org.y")
    assert typed.app(APP, FIREBASE) == FirebaseApp(app_id=APP)
    assert typed.app(APP, APPLE) is None
    assert typed.user_agents == ()
    assert sorted(skipped(caplog)) == sorted(["default", f"{APP}.apple", "org.x"])


def test_rules_keep_the_order_of_the_document() -> None:
    text = json.dumps(dict.fromkeys(("Zoiper", "Linphone", "Acrobits"), RULE))
    typed = settings({"default": {"User-Agents": json.loads(text)}})
    assert [rule.name for rule in typed.user_agents] == ["Zoiper", "Linphone", "Acrobits"]
    assert typed.user_agents[0].matches("Linphone/5.2")


def test_a_broken_rule_does_not_disable_the_others(caplog: pytest.LogCaptureFixture) -> None:
    rules = {
        "regex": {**RULE, "regex": "(SECRET"},
        "no regex": {"properties": RULE["properties"]},
        "no properties": {"regex": "x"},
        "no object": "SECRET",
        "good": RULE,
    }
    typed = settings({"default": {"User-Agents": rules}})
    assert [rule.name for rule in typed.user_agents] == ["good"]
    assert [path.split(".")[1] for path in skipped(caplog)] == list(rules)[:-1]
    assert "SECRET" not in str([record.__dict__ for record in caplog.records])


def test_a_zone_s_rules_take_the_place_of_the_default_s() -> None:
    document = {
        "default": {"User-Agents": {"Linphone": RULE}},
        "west": {"User-Agents": {"Zoiper": RULE}},
        "east": {"apple": {}},
    }
    names = [[rule.name for rule in settings(document, z).user_agents] for z in (None, "west", "east")]
    assert names == [["Linphone"], ["Zoiper"], ["Linphone"]]


def test_the_apps_are_those_that_the_document_names() -> None:
    document = {
        "org.b": {"firebase": {}},
        "default": {"User-Agents": {}, "firebase": {"api_key": "AAAA"}},
        "org.a": {"apple": {}, "firebase": {}, "huawei": {}},
        "org.empty": {},
    }
    assert list(settings(document).apps) == [
        ("default", FIREBASE),
        ("org.b", FIREBASE),
        ("org.a", APPLE),
        ("org.a", FIREBASE),
    ]


def test_encrypted_credentials_are_read_like_plain_ones_beside_which_they_stand() -> None:
    account = {"client_email": "x@y", "private_key": "<KEY>"}
    document = {
        APP: {"apple": {"certificate": KEYS.seal("<PEM>")}, "firebase": {"service_account": KEYS.seal_object(account)}},
        "org.key": {"apple": {"token_key": {**KEY, "private_key": KEYS.seal(KEY["private_key"])}}},
        "org.plain": {"apple": {"certificate": "<PEM>"}, "firebase": {"service_account": account}},
    }
    typed = TypedSettings.of(document, None, KEYS)
    assert typed.app(APP, APPLE) == AppleApp(app_id=APP, certificate="<PEM>")
    assert typed.app(APP, FIREBASE) == FirebaseApp(app_id=APP, service_account=account)
    assert typed.app("org.key", APPLE) == AppleApp(app_id="org.key", token_key=TokenKey(**KEY))
    assert typed.app("org.plain", APPLE) == AppleApp(app_id="org.plain", certificate="<PEM>")
    assert typed.app("org.plain", FIREBASE) == FirebaseApp(app_id="org.plain", service_account=account)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (SecretKeys((LOST,)).seal('{"a": "HIDDEN"}'), f"it is encrypted with key #{name_of(LOST)}, which is not in"),
        (KEYS.seal('{"a": "HIDDEN"}')[:-30], "its encrypted form is damaged"),
        ("fernet:HIDDEN", "its encrypted form is damaged"),
    ],
    ids=["lost key", "cut short", "no token"],
)
@pytest.mark.parametrize(
    ("provider", "name", "held"),
    [(APPLE, "certificate", "{}"), (APPLE, "token_key", KEY), (FIREBASE, "service_account", "")],
)
def test_a_credential_that_cannot_be_decrypted_is_told_and_disables_its_app_alone(
    provider: ProviderName, name: str, held: object, value: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even what stands under `default` takes its place."""
    stored = {**held, "private_key": value} if isinstance(held, dict) else value
    good = {"apple": {"certificate": "<PEM>"}, "firebase": {"service_account": {"client_email": "x@y"}, "api_key": "A"}}
    document = {"default": good, APP: {provider: {name: stored}}, "org.other": good}
    typed = TypedSettings.of(document, None, KEYS)
    app = typed.app(APP, provider)
    assert app is not None
    assert app.unreadable is not None
    assert app.unreadable.startswith(problem)
    assert app.has_credential
    assert getattr(app, name) is None
    assert getattr(app, "certificate", None) is None
    assert typed.app("org.other", provider) == settings({"org.other": good}).app("org.other", provider)
    assert typed.app("org.new", provider) == settings({"default": good}).app("org.new", provider)
    (record,) = caplog.records
    assert (record.levelno, record.message) == (logging.WARNING, "credential cannot be decrypted")
    assert record.fields == {"setting": f"{APP}.{provider}.{name}", "problem": app.unreadable}  # type: ignore[attr-defined]
    told = str([record.__dict__ for record in caplog.records]) + repr(typed)
    assert not [secret for secret in ("HIDDEN", value, LOST) if secret in told]


def test_without_a_key_the_variable_is_named(caplog: pytest.LogCaptureFixture) -> None:
    app = settings({APP: {"apple": {"certificate": KEYS.seal("<PEM>")}}}).app(APP, APPLE)
    assert app is not None
    assert app.unreadable == f"it is encrypted with key #{KEYS.names[0]}, and PUSHER_SECRET_KEY is not set"
    assert skipped(caplog) == [f"{APP}.apple.certificate"]


def test_another_credential_of_the_app_is_used_where_one_cannot_be_decrypted() -> None:
    sealed = KEYS.seal("<PEM>")
    document = {
        APP: {"apple": {"token_key": {**KEY, "private_key": sealed}, "certificate": "<OWN>"}},
        "org.key": {"apple": {"token_key": KEY, "certificate": sealed}},
    }
    first, second = settings(document).app(APP, APPLE), settings(document).app("org.key", APPLE)
    assert isinstance(first, AppleApp)
    assert isinstance(second, AppleApp)
    assert (first.certificate, first.token_key) == ("<OWN>", None)
    assert (second.certificate, second.token_key) == (None, TokenKey(**KEY))
    assert first.unreadable is not None
    assert first.unreadable == second.unreadable


def test_a_default_that_cannot_be_decrypted_is_told_once_and_holds_for_those_without_their_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = {
        "default": {"firebase": {"service_account": KEYS.seal("{}")}},
        APP: {"firebase": {"service_account": {"client_email": "x@y"}}},
        **{f"org.{n}": {"firebase": {"api_key": "AAAA"}} for n in range(5)},
    }
    typed = settings(document)
    unreadable = [app.unreadable is not None for app in typed.apps.values()]
    assert unreadable == [True, False, True, True, True, True, True]
    assert skipped(caplog) == ["default.firebase.service_account"]
