"""User-Agent rules."""

import logging
import time

import pytest

from pusher.errors import SettingsInvalid
from pusher.registration.user_agents import MAX_USER_AGENT, SEARCH_LIMIT_S, UserAgentRule, first_match

PROPERTIES = {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"}
EVIL = "a" * 500 + "!"


def rule(name: str, pattern: str) -> UserAgentRule:
    return UserAgentRule.of(name, pattern, PROPERTIES)


def test_the_first_rule_in_document_order_wins():
    rules = [rule("Old", "^Linphone/3"), rule("New", "^Linphone"), rule("Any", "phone")]
    assert first_match(rules, "Linphone/5.2").name == "New"
    assert first_match(rules, "Linphone/3.9").name == "Old"
    assert first_match(rules, "Zoiper phone").name == "Any"


def test_a_desk_phone_matches_no_rule():
    assert first_match([rule("Linphone", "^Linphone")], "Yealink SIP-T46S 66.86") is None
    assert first_match([], "Linphone") is None


@pytest.mark.parametrize(
    ("pattern", "user_agent"),
    [("(?i)^linphone", "Linphone"), ("^[[:alpha:]]++/", "Linphone/5"), (r"^(?>Lin)phone\b", "Linphone/5")],
)
def test_kazoos_perl_patterns_are_understood(pattern, user_agent):
    assert rule("x", pattern).matches(user_agent)


def test_a_pattern_that_backtracks_for_ages_matches_nothing_and_is_reported_once(caplog):
    evil = rule("Evil", "(a+)+$")
    started = time.thread_time()
    with caplog.at_level(logging.WARNING, "pusher.registration.user_agents"):
        assert first_match([evil, rule("Good", "a")], EVIL).name == "Good"
        assert not evil.matches(EVIL)
    assert time.thread_time() - started < 1.0
    assert [record.getMessage() for record in caplog.records] == [
        "User-Agents.Evil: the regex takes too long, phones may not be recognised"
    ]
    assert evil.matches("aaa")


def test_any_number_of_slow_patterns_takes_no_longer_than_one(caplog):
    rules = [rule(f"Evil{number}", "(a+)+$") for number in range(200)]
    started = time.thread_time()
    for _ in range(10):
        assert first_match(rules, EVIL) is None
    assert time.thread_time() - started < 10 * 2 * SEARCH_LIMIT_S
    assert len({record.getMessage() for record in caplog.records}) == len(caplog.records) < 20


def test_a_slow_pattern_leaves_time_for_the_rules_behind_it():
    assert first_match([*(rule("Evil", "(a+)+$") for _ in range(4)), rule("Good", "a!$")], EVIL).name == "Good"


def test_a_stranger_who_makes_a_rule_slow_hides_no_other_phone_from_it():
    rules = [rule("Evil", "^(a+)+$"), rule("Good", "^Linphone")]
    for _ in range(50):
        first_match(rules, EVIL)
        assert first_match(rules, "aaa").name == "Evil"
        assert first_match(rules, "Linphone/5").name == "Good"


def test_hundreds_of_quick_rules_are_all_looked_at():
    rules = [*[rule("Rule", "^(?:Phone|Sip).*/[0-9]+")] * 500, rule("x", "x")]
    assert first_match(rules, "Yealink x").name == "x"


def test_only_the_beginning_of_a_long_user_agent_is_looked_at():
    assert rule("x", "a!").matches("b" * (MAX_USER_AGENT - 2) + "a!")
    assert not rule("x", "a!").matches("b" * (MAX_USER_AGENT - 1) + "a!")


def test_properties_keep_the_documents_order():
    assert rule("x", "x").properties == tuple(PROPERTIES.items())


def test_equal_settings_make_equal_rules():
    assert rule("x", "x") == rule("x", "x")
    assert rule("x", "x") != rule("x", "y")


@pytest.mark.parametrize(
    ("pattern", "properties", "path"),
    [
        ("(", PROPERTIES, "User-Agents.Linphone.regex"),
        ("a{99999999999}", PROPERTIES, "User-Agents.Linphone.regex"),
        ("(" * 2000 + ")" * 2000, PROPERTIES, "User-Agents.Linphone.regex"),
        ("x" * 5000, PROPERTIES, "User-Agents.Linphone.regex"),
        ("", PROPERTIES, "User-Agents.Linphone.regex"),
        (None, PROPERTIES, "User-Agents.Linphone.regex"),
        ("x", None, "User-Agents.Linphone.properties"),
        ("x", {"Token-ID": 5}, "User-Agents.Linphone.properties"),
        ("x", {"Token-ID": ""}, "User-Agents.Linphone.properties"),
        ("x", {"Token-ID": "pn-tok", "a\r\nb": "c"}, "User-Agents.Linphone.properties"),
        ("x", {"Token-App": "app-id"}, "User-Agents.Linphone.properties"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_its_path(pattern, properties, path):
    with pytest.raises(SettingsInvalid) as caught:
        UserAgentRule.of("Linphone", pattern, properties)
    assert caught.value.name == path
