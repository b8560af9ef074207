"""What another installation's pusher document adds to ours, and what it must not do to it."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher.documents import credentials
from pusher.documents.import_kazoo import Part, Verdict, merge
from pusher.documents.sealed import NO_KEYS, SecretKeys, make_key
from pusher.documents.typed_settings import TypedSettings
from pusher.push.app import ProviderName

APP = "org.example.app"
PROPERTIES = {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"}
LINPHONE = {"regex": "^Linphone", "properties": PROPERTIES}
ZOIPER = {"regex": "^Z", "properties": PROPERTIES}
CERTIFIED = {"certificate": "<PEM>", "host": "api.push.apple.com", "headers": {}, "apns_topic": "org.example.app.voip"}
LEGACY = {"api_key": "AAAA"}

#: As Kazoo and its operators wrote it.
KAZOO: dict[str, Any] = {
    "_id": "pusher",
    "_rev": "7-967a00dff5e02add41819138abb3284d",
    "default": {
        "User-Agents": {"Linphone": LINPHONE, "Zoiper": {**ZOIPER, "note": "of 2019"}},
        "modules": ["pm_apple", "pm_firebase"],
        "firebase": {"headers": {"priority": "high"}},
    },
    f"{APP}.voip.prod": {"apple": CERTIFIED},
    APP: {"firebase": LEGACY, "huawei": {"some": "thing"}, "enabled_since": 2019},
    "org.example.old": {"google": "AIza-old", "apple": {"certificate": "<PEM>", "enabled": "true"}},
    "pvt_node": "kazoo_apps@kazoo.lab.example.com",
    "pvt_modified": 63809999999,
}


def imported(
    theirs: dict[str, Any],
    ours: dict[str, Any] | None = None,
    zone: str | None = None,
    keys: SecretKeys = NO_KEYS,
) -> tuple[dict[str, Any], tuple[Part, ...]]:
    """Return our document, empty unless given, after the import of `theirs`, and what became of each part."""
    document = {"_id": "pusher"} if ours is None else copy.deepcopy(ours)
    before = copy.deepcopy(theirs)
    parts = merge(document, theirs, zone, keys)
    assert theirs == before
    return document, parts


def verdicts(parts: tuple[Part, ...]) -> dict[str, Verdict]:
    """Return what became of each part, by its path."""
    return {".".join(filter(None, (part.section, part.key, part.rule))): part.verdict for part in parts}


def only(parts: tuple[Part, ...]) -> Part:
    """Return the one part there is."""
    assert len(parts) == 1, parts
    return parts[0]


def test_a_document_of_kazoo_is_copied_as_it_is_but_for_couchdbs_and_kazoos_own_keys() -> None:
    document, parts = imported(KAZOO)
    private = ("_rev", "pvt_node", "pvt_modified")
    assert document == {key: value for key, value in KAZOO.items() if key not in private}
    assert list(document["default"]["User-Agents"]) == ["Linphone", "Zoiper"]
    assert set(verdicts(parts).values()) == {Verdict.COPIED}
    assert list(verdicts(parts)) == [
        *("default.User-Agents.Linphone", "default.User-Agents.Zoiper", "default.modules", "default.firebase"),
        *(f"{APP}.voip.prod.apple", f"{APP}.firebase", f"{APP}.huawei", f"{APP}.enabled_since"),
        *("org.example.old.google", "org.example.old.apple"),
    ]


def test_what_is_copied_is_ours_to_change() -> None:
    theirs = copy.deepcopy(KAZOO)
    document, _ = imported(theirs)
    document[APP]["firebase"]["api_key"] = "changed"
    document["default"]["User-Agents"]["Linphone"]["properties"]["Token-ID"] = "changed"
    assert theirs == KAZOO


def test_every_app_means_the_same_after_the_import() -> None:
    document, _ = imported(KAZOO)
    there, here = TypedSettings.of(KAZOO, None), TypedSettings.of(document, None)
    assert here == there
    assert len(here.apps) == 4


def test_importing_again_finds_all_of_it_here() -> None:
    document, _ = imported(KAZOO)
    again, parts = imported(KAZOO, document)
    assert again == document
    assert set(verdicts(parts).values()) == {Verdict.HERE}


def test_a_credential_added_after_the_import_is_no_difference() -> None:
    document, _ = imported(KAZOO)
    document[APP]["firebase"]["service_account"] = {"type": "service_account"}
    again, parts = imported(KAZOO, document)
    assert again == document
    assert verdicts(parts)[f"{APP}.firebase"] is Verdict.HERE


def test_what_is_here_with_other_values_stays_and_is_told() -> None:
    ours = {
        APP: {"firebase": {"api_key": "BBBB"}},
        "default": {"User-Agents": {"Zoiper": LINPHONE}, "firebase": {"enabled": False}},
    }
    document, parts = imported(KAZOO, ours)
    assert document[APP] == {"firebase": {"api_key": "BBBB"}, "huawei": {"some": "thing"}, "enabled_since": 2019}
    assert document["default"]["firebase"] == {"enabled": False}
    kept = {path for path, verdict in verdicts(parts).items() if verdict is Verdict.KEPT}
    assert kept == {f"{APP}.firebase", "default.User-Agents.Zoiper", "default.firebase"}
    assert {part.note for part in parts if part.verdict is Verdict.KEPT} == {
        "differs from the source",
        "differs from the source; it holds for what the copied apps do not set themselves",
    }


def test_rules_are_appended_behind_ours_in_the_order_of_the_source() -> None:
    ours = {"default": {"User-Agents": {"Acme": ZOIPER, "Zoiper": ZOIPER}}}
    theirs = {"default": {"User-Agents": {"B": ZOIPER, "Zoiper": ZOIPER, "A": ZOIPER}}}
    document, _ = imported(theirs, ours)
    assert list(document["default"]["User-Agents"]) == ["Acme", "Zoiper", "B", "A"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("gateway.push.apple.com", "api.push.apple.com"),
        ("gateway.push.apple.com:2195", "api.push.apple.com"),
        ("Gateway.Sandbox.push.apple.com", "api.sandbox.push.apple.com"),
    ],
)
def test_a_host_of_apples_old_protocol_becomes_the_one_that_took_its_place(host: str, expected: str) -> None:
    theirs = {APP: {"apple": {"certificate": "<PEM>", "host": host, "apns_topic": "x"}}}
    document, parts = imported(theirs)
    assert document[APP]["apple"] == {"certificate": "<PEM>", "host": expected, "apns_topic": "x"}
    assert only(parts).note == f"the host was one that Apple shut down: {expected} took its place"
    assert only(imported(theirs, document)[1]).verdict is Verdict.HERE


@pytest.mark.parametrize("host", ["api.push.apple.com", "gateway.push.apple.com.example.org", 5, None])
def test_another_host_stays_what_it_is(host: object) -> None:
    theirs = {APP: {"apple": {"certificate": "<PEM>", "host": host}}}
    document, parts = imported(theirs)
    assert document[APP] == theirs[APP]
    assert only(parts).note is None


def test_a_key_for_gcm_is_copied_and_told_with_the_command_that_helps() -> None:
    document, parts = imported({APP: {"google": "AIza-old"}})
    assert document[APP] == {"google": "AIza-old"}
    assert "legacy server key" in str(only(parts).note)
    assert only(parts).remedy == f"pusher maintenance add-firebase-app {APP} service-account.json"


def test_what_pusher_does_not_know_is_copied_and_told() -> None:
    for key in ("huawei", "apple_dev", "modules"):
        document, parts = imported({APP: {key: {"any": "thing"}}})
        assert document[APP] == {key: {"any": "thing"}}
        assert only(parts).note == "not known to Pusher, and not used"


@pytest.mark.parametrize(
    ("entry", "note"),
    [
        ({"regex": "(", "properties": PROPERTIES}, "regex is not a regular expression"),
        ({"regex": r"\Qa.b\E", "properties": PROPERTIES}, "regex is not a regular expression: bad escape"),
        ({"properties": PROPERTIES}, "regex is not a text; the rule is skipped"),
        ({"regex": "^X", "properties": {"Token-App": "app-id"}}, "properties has no Token-ID; the rule is skipped"),
        ({"regex": "^X", "properties": []}, "properties is not an object; the rule is skipped"),
        ({"regex": r"^X\v", "properties": PROPERTIES}, "the regex has an escape that Kazoo reads otherwise: try it"),
        ({"regex": r"^(?<a>X)\g{a}", "properties": PROPERTIES}, "the regex has an escape that Kazoo reads otherwise"),
    ],
)
def test_a_rule_that_does_not_work_as_in_kazoo_keeps_its_place_and_is_told(entry: dict[str, Any], note: str) -> None:
    theirs = {"default": {"User-Agents": {"An App": entry, "Linphone": LINPHONE}}}
    document, (first, second) = imported(theirs)
    assert document["default"] == theirs["default"]
    assert str(first.note).startswith(note)
    assert first.remedy in (
        "pusher maintenance add-user-agent 'An App' REGEX PROPERTY=PARAM...",
        "pusher maintenance test-user-agent USER_AGENT",
    )
    assert (second.note, second.remedy) == (None, None)


def test_an_escaped_backslash_is_no_escape_that_kazoo_reads_otherwise() -> None:
    _, parts = imported({"default": {"User-Agents": {"X": {"regex": r"^X\\v\d\\\\N", "properties": PROPERTIES}}}})
    assert only(parts).note is None


@pytest.mark.parametrize(
    "theirs",
    [
        {APP: "text"},
        {APP: {"apple": "text"}},
        {APP: {"firebase": None}},
        {"default": []},
        {"default": {"User-Agents": ["^Linphone"]}},
        {"default": {"User-Agents": {"Linphone": "^Linphone"}}},
    ],
    ids=str,
)
def test_what_is_no_object_is_left_and_told(theirs: dict[str, Any]) -> None:
    document, parts = imported(theirs)
    assert document == {"_id": "pusher"}
    assert (only(parts).verdict, only(parts).note) == (Verdict.LEFT, "is not an object")


@pytest.mark.parametrize("ours", [{"default": "text"}, {"default": {"User-Agents": "text"}}], ids=str)
def test_what_is_no_object_here_stays(ours: dict[str, Any]) -> None:
    document, parts = imported({"default": {"User-Agents": {"Linphone": LINPHONE}}}, ours)
    assert document == ours
    assert (only(parts).verdict, only(parts).note) == (
        Verdict.LEFT,
        "what stands here under this name is not an object",
    )


@pytest.mark.parametrize("shared", ["default", "zone-1"])
def test_a_shared_setting_that_would_hold_for_an_app_of_ours_is_left_and_told(shared: str) -> None:
    theirs = {shared: {"User-Agents": {}, "apple": {"enabled": False}, "firebase": {"enabled": False}}}
    document, parts = imported(theirs, {APP: {"apple": CERTIFIED}, "pvt_type": {"apple": {}}})
    assert document[APP] == {"apple": CERTIFIED}
    assert document[shared] == {"firebase": {"enabled": False}}
    assert verdicts(parts) == {f"{shared}.apple": Verdict.LEFT, f"{shared}.firebase": Verdict.COPIED}
    assert f"it would also hold for {APP}, already here" in str(parts[0].note)


def test_the_settings_of_our_zone_are_shared_ones() -> None:
    theirs = {"zone-1": {"apple": {"enabled": False}}, "zone-2": {"apple": {"enabled": False}}}
    document, parts = imported(theirs, {APP: {"apple": CERTIFIED}}, "zone-1")
    assert document == {APP: {"apple": CERTIFIED}, "zone-2": theirs["zone-2"]}
    assert verdicts(parts) == {"zone-1.apple": Verdict.LEFT, "zone-2.apple": Verdict.COPIED}
    ours = {"zone-1": {"apple": {"host": "127.0.0.1:2197"}}}
    document, parts = imported({APP: {"apple": CERTIFIED}}, ours, "zone-1")
    assert verdicts(parts) == {f"{APP}.apple": Verdict.COPIED, "zone-1.apple": Verdict.KEPT}


def test_settings_of_a_node_are_left_and_told() -> None:
    node = "kazoo_apps@kazoo.lab.example.com"
    document, parts = imported({node: {"modules": ["pm_apple"], "User-Agents": {"Linphone": LINPHONE}}, "": {}})
    assert document == {"_id": "pusher"}
    assert (only(parts).section, only(parts).verdict) == (node, Verdict.LEFT)
    assert only(parts).note == "settings of a node of Kazoo's, which do not count here"


def test_a_default_of_ours_that_holds_for_copied_apps_is_told() -> None:
    ours = {"default": {"apple": {"host": "127.0.0.1:2197"}, "firebase": {"host": "127.0.0.1:4430"}}}
    document, parts = imported({APP: {"apple": CERTIFIED}}, ours)
    assert document["default"] == ours["default"]
    assert verdicts(parts) == {f"{APP}.apple": Verdict.COPIED, "default.apple": Verdict.KEPT}
    assert parts[1].note == "the source has none; it holds for what the copied apps do not set themselves"


def test_a_zone_is_copied_under_its_own_name() -> None:
    theirs = {"zone-1": {"apple": CERTIFIED, "User-Agents": {"Zoiper": ZOIPER}}, "default": KAZOO["default"]}
    document, _ = imported(theirs)
    assert document == {"_id": "pusher", **theirs}
    assert TypedSettings.of(document, "zone-1") == TypedSettings.of(theirs, "zone-1")


def test_rules_of_a_zone_do_not_hide_ours() -> None:
    zone = {"User-Agents": {"Zoiper": ZOIPER}}
    ours = {"default": {"User-Agents": {"Acme": ZOIPER}}}
    document, parts = imported({"zone-1": zone}, ours)
    assert document == ours
    assert only(parts).verdict is Verdict.LEFT
    assert only(parts).note == "in this zone it would take the place of Acme, already here"
    # Where the zone has rules of its own here, Acme is hidden already.
    document, _ = imported({"zone-1": zone}, {**ours, "zone-1": {"User-Agents": {"Linphone": LINPHONE}}})
    assert list(document["zone-1"]["User-Agents"]) == ["Linphone", "Zoiper"]


_values = st.recursive(
    st.sampled_from([None, True, 1, "", "text", "gateway.push.apple.com"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)
_providers = st.dictionaries(st.sampled_from(["host", "certificate", "enabled", "other"]), _values, max_size=3)
_rules = st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from([LINPHONE, ZOIPER]) | _values, max_size=2)
_sections = st.fixed_dictionaries(
    {},
    optional={
        "apple": _providers | _values,
        "firebase": _providers | _values,
        "User-Agents": _rules | _values,
        "google": _values,
    },
)
_documents = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("default", "zone-1", "app-1", "app-2", "_rev", "pvt_type"), _sections | _values),
)


def stands(before: object, after: object) -> bool:
    """Tell whether everything in `before` is in `after`, with the same values."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and stands(value, after[key]) for key, value in before.items())
    return before == after


@pytest.mark.parametrize("zone", [None, "zone-1"])
@given(ours=_documents, theirs=_documents)
def test_all_of_ours_stands_afterwards_and_means_the_same(
    zone: str | None, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    document, _ = imported(theirs, ours, zone)
    assert stands(ours, document)
    assert list(document)[: len(ours)] == list(ours)
    was, now = TypedSettings.of(ours, zone), TypedSettings.of(document, zone)
    assert now.user_agents[: len(was.user_agents)] == was.user_agents
    for name, provider in was.apps:
        if name != "default":
            assert now.apps[name, ProviderName(provider)] == was.apps[name, provider]


@pytest.mark.parametrize("zone", [None, "zone-1"])
@given(ours=_documents, theirs=_documents)
def test_importing_twice_is_importing_once(zone: str | None, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    once, _ = imported(theirs, ours, zone)
    twice, parts = imported(theirs, once, zone)
    assert twice == once
    assert list(twice) == list(once)
    assert Verdict.COPIED not in {part.verdict for part in parts}


def test_what_is_copied_is_encrypted_where_there_is_a_key_and_what_is_ours_stays_as_it_is() -> None:
    keys = SecretKeys((make_key(),))
    ours = {"_id": "pusher", "org.example.ours": {"apple": {"certificate": "<OURS>"}}}
    document, parts = imported(KAZOO, ours, keys=keys)
    assert document["org.example.ours"] == ours["org.example.ours"]
    assert {part.verdict for part in parts} == {Verdict.COPIED}
    found = list(credentials.in_document(document, keys))
    assert [each.form for each in found] == ["plain", "encrypted", "encrypted"]
    # But for the form of its credentials, everything is as without a key.
    credentials.decrypt(found)
    assert document == imported(KAZOO, ours)[0]


def test_a_credential_that_is_here_encrypted_is_no_difference() -> None:
    keys = SecretKeys((make_key(),))
    document, _ = imported(KAZOO, keys=keys)
    again, parts = imported(KAZOO, document, keys=keys)
    assert again == document
    assert {part.verdict for part in parts} == {Verdict.HERE}
    newer = copy.deepcopy(KAZOO)
    newer[f"{APP}.voip.prod"]["apple"]["certificate"] = "<NEWER>"
    again, parts = imported(newer, document, keys=keys)
    assert again == document
    assert verdicts(parts)[f"{APP}.voip.prod.apple"] is Verdict.KEPT


def test_what_another_key_encrypted_is_copied_as_it_is() -> None:
    theirs = {APP: {"apple": {"certificate": SecretKeys((make_key(),)).seal("<PEM>")}}}
    document, _ = imported(theirs, keys=SecretKeys((make_key(),)))
    assert document[APP] == theirs[APP]
