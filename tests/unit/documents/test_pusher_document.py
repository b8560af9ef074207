"""What the maintenance commands change in the pusher document, and what they leave alone."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pusher.documents import pusher_document
from pusher.documents.sqlite import SQLiteDocuments
from pusher.errors import DocumentsUnavailable, SettingsInvalid
from pusher.push.app import TokenKey

APP = "org.example.app"
KEY = TokenKey(key_id="ABC123DEFG", team_id="DEF123GHIJ", private_key="<PEM>")
ACCOUNT = {"client_email": "x@y"}
PROPERTIES = {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"}

#: As Kazoo and its operators left it.
KAZOO: dict[str, Any] = {
    "_id": "pusher",
    "pvt_node": "kazoo_apps@kazoo.lab.example.com",
    "default": {
        "User-Agents": {
            "Linphone": {"regex": "^Linphone", "properties": PROPERTIES, "note": "ours"},
            "Zoiper": {"regex": "^Z", "properties": PROPERTIES},
        },
        "unknown": [1],
    },
    APP: {
        "apple": {"certificate": "<OLD>", "host": "api.sandbox.push.apple.com", "headers": {"apns_priority": 5}},
        "firebase": {"api_key": "AAAA"},
        "huawei": {"some": "thing"},
    },
    "org.example.other": {"firebase": {"api_key": "BBBB"}},
}

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[SQLiteDocuments]:
    """An empty store."""
    store = SQLiteDocuments(tmp_path / "pusher.db")
    yield store
    store.close()


def changed(change: Change) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return Kazoo's document after `change`, and the one before it for comparison."""
    document = copy.deepcopy(KAZOO)
    change(document)
    return document, copy.deepcopy(KAZOO)


def test_a_certificate_takes_the_place_of_the_old_one_and_nothing_else() -> None:
    document, expected = changed(lambda d: pusher_document.set_apple_certificate(d, APP, "<NEW>"))
    expected[APP]["apple"]["certificate"] = "<NEW>"
    assert document == expected


def test_a_host_is_set_where_it_is_given() -> None:
    document, _ = changed(lambda d: pusher_document.set_apple_certificate(d, APP, "<NEW>", "localhost:2197"))
    assert document[APP]["apple"]["host"] == "localhost:2197"


def test_a_key_is_added_beside_the_certificate() -> None:
    document, expected = changed(lambda d: pusher_document.set_apple_key(d, APP, KEY, "localhost"))
    token_key = {"key_id": "ABC123DEFG", "team_id": "DEF123GHIJ", "private_key": "<PEM>"}
    expected[APP]["apple"] |= {"token_key": token_key, "host": "localhost"}
    assert document == expected


def test_a_certificate_set_after_a_key_is_the_one_in_use() -> None:
    document = copy.deepcopy(KAZOO)
    pusher_document.set_apple_key(document, APP, KEY)
    pusher_document.set_apple_certificate(document, APP, "<NEW>")
    assert "token_key" not in document[APP]["apple"]


def test_a_service_account_is_added_beside_the_legacy_key() -> None:
    account = {"client_email": "x@y"}
    document, expected = changed(lambda d: pusher_document.set_service_account(d, APP, account, "localhost"))
    expected[APP]["firebase"] |= {"service_account": account, "host": "localhost"}
    assert document == expected


def test_a_new_app_is_added() -> None:
    document, expected = changed(lambda d: pusher_document.set_service_account(d, "org.new", ACCOUNT))
    expected["org.new"] = {"firebase": {"service_account": ACCOUNT}}
    assert document == expected


def test_an_app_is_turned_off_and_on_for_every_provider_it_has() -> None:
    document, expected = changed(lambda d: pusher_document.set_enabled(d, APP, False))
    expected[APP]["apple"]["enabled"] = expected[APP]["firebase"]["enabled"] = False
    assert document == expected
    pusher_document.set_enabled(document, APP, True)
    assert document[APP]["apple"]["enabled"] is True


def test_removing_an_app_removes_what_pusher_knows_of_it() -> None:
    document, expected = changed(lambda d: pusher_document.remove_app(d, APP))
    expected[APP] = {"huawei": {"some": "thing"}}
    assert document == expected
    pusher_document.remove_app(document, "org.example.other")
    assert "org.example.other" not in document


def test_removing_the_default_app_keeps_the_user_agents() -> None:
    document = copy.deepcopy(KAZOO)
    pusher_document.set_service_account(document, "default", ACCOUNT)
    pusher_document.remove_app(document, "default")
    assert document == KAZOO


def test_a_changed_rule_keeps_its_place_and_its_unknown_keys() -> None:
    document, expected = changed(
        lambda d: pusher_document.set_user_agent(d, "Linphone", "(?i)linphone", {"Token-ID": "pn-prid"})
    )
    rule = expected["default"]["User-Agents"]["Linphone"]
    rule |= {"regex": "(?i)linphone", "properties": {"Token-ID": "pn-prid"}}
    assert document == expected
    assert list(document["default"]["User-Agents"]) == ["Linphone", "Zoiper"]


def test_a_new_rule_comes_last() -> None:
    document, _ = changed(lambda d: pusher_document.set_user_agent(d, "Acrobits", "^A", PROPERTIES))
    assert list(document["default"]["User-Agents"]) == ["Linphone", "Zoiper", "Acrobits"]


def test_a_rule_is_removed() -> None:
    document, expected = changed(lambda d: pusher_document.remove_user_agent(d, "Zoiper"))
    del expected["default"]["User-Agents"]["Zoiper"]
    assert document == expected


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda d: pusher_document.set_enabled(d, "org.nobody", True), "org.nobody"),
        (lambda d: pusher_document.set_enabled(d, "pvt_node", True), "pvt_node"),
        (lambda d: pusher_document.remove_app(d, "org.nobody"), "org.nobody"),
        (lambda d: pusher_document.remove_app(d, "default"), "default"),
        (lambda d: pusher_document.remove_user_agent(d, "Nobody"), "default.User-Agents.Nobody"),
        (lambda d: pusher_document.set_user_agent(d, "Bad", "(", PROPERTIES), "User-Agents.Bad.regex"),
        (lambda d: pusher_document.set_user_agent(d, "Bad", "x", {}), "User-Agents.Bad.properties"),
        (lambda d: pusher_document.set_service_account(d, "_rev", ACCOUNT), "_rev"),
        (lambda d: pusher_document.set_service_account(d, "pvt_node", ACCOUNT), "pvt_node"),
        (lambda d: pusher_document.set_service_account(d, "", ACCOUNT), ""),
    ],
)
def test_what_cannot_be_done_is_told_by_its_path_and_changes_nothing(change: Change, path: str) -> None:
    document = copy.deepcopy(KAZOO)
    with pytest.raises(SettingsInvalid) as told:
        change(document)
    assert told.value.name == path
    assert document == KAZOO


def test_what_is_no_object_is_not_overwritten() -> None:
    with pytest.raises(SettingsInvalid, match=r"org\.x\.firebase: is not an object"):
        pusher_document.set_service_account({"org.x": {"firebase": "text"}}, "org.x", ACCOUNT)
    with pytest.raises(SettingsInvalid, match=r"default\.User-Agents: is not an object"):
        pusher_document.set_user_agent({"default": {"User-Agents": []}}, "A", "^A", PROPERTIES)


def test_the_first_edit_makes_the_document(documents: SQLiteDocuments) -> None:
    saved = pusher_document.change(documents, lambda d: pusher_document.set_service_account(d, APP, ACCOUNT))
    assert saved.created
    document = documents.read("system_config", "pusher")
    assert document == {"_id": "pusher", "_rev": saved.rev, APP: {"firebase": {"service_account": ACCOUNT}}}


def test_an_edit_is_applied_again_to_what_somebody_else_saved_meanwhile(documents: SQLiteDocuments) -> None:
    documents.save("system_config", KAZOO)
    rivals = iter(["first", "second"])

    def change(document: dict[str, Any]) -> None:
        rival = next(rivals, None)
        if rival is not None:
            documents.save("system_config", {**documents.read("system_config", "pusher"), rival: True})
        pusher_document.set_service_account(document, APP, ACCOUNT)

    assert not pusher_document.change(documents, change).created
    document = documents.read("system_config", "pusher")
    assert document["first"]
    assert document["second"]
    assert document[APP]["firebase"]["service_account"] == ACCOUNT


def test_an_edit_that_never_wins_gives_up(documents: SQLiteDocuments) -> None:
    documents.save("system_config", KAZOO)

    def change(_: dict[str, Any]) -> None:
        documents.save("system_config", documents.read("system_config", "pusher"))

    with pytest.raises(DocumentsUnavailable, match="10 times"):
        pusher_document.change(documents, change)


def test_a_change_that_cannot_be_done_is_not_saved(documents: SQLiteDocuments) -> None:
    before = documents.save("system_config", KAZOO)
    with pytest.raises(SettingsInvalid):
        pusher_document.change(documents, lambda d: pusher_document.remove_app(d, "org.nobody"))
    assert documents.read("system_config", "pusher")["_rev"] == before.rev
