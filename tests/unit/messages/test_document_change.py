"""doc_edited and doc_created."""

import pytest

from pusher.errors import MessageInvalid
from pusher.messages.document_change import DocumentChange

DEVICE = DocumentChange(
    created=False,
    database="account/00/11/223344556677889900aabbccddee",
    doc_id="aabbccddeeff00112233445566778899",
    doc_type="device",
    rev="2-abc",
    account_id="0011223344556677889900aabbccddee",
)
SETTINGS = DocumentChange(created=True, database="system_config", doc_id="pusher")


def test_the_routing_key_holds_database_type_and_id():
    assert DEVICE.routing_key == (
        "doc_edited.account%2F00%2F11%2F223344556677889900aabbccddee.device.aabbccddeeff00112233445566778899"
    )


def test_a_document_without_type_is_of_type_undefined_and_dots_in_ids_add_no_words():
    change = DocumentChange(created=True, database="system_config", doc_id="a.b")
    assert change.routing_key == "doc_created.system_config.undefined.a%2Eb"


def test_the_message_names_the_database_as_kazoos_caches_do():
    """Kazoo caches an endpoint under its account's encoded database name, and compares that."""
    message = DEVICE.to_message("pusher@host")
    assert message.pop("App-Version")
    assert message.pop("Msg-ID")
    assert message == {
        "Event-Category": "configuration",
        "Event-Name": "doc_edited",
        "App-Name": "pusher",
        "Node": "pusher@host",
        "ID": "aabbccddeeff00112233445566778899",
        "Type": "device",
        "Database": "account%2F00%2F11%2F223344556677889900aabbccddee",
        "Rev": "2-abc",
        "Account-ID": "0011223344556677889900aabbccddee",
        "Is-Soft-Deleted": False,
    }


@pytest.mark.parametrize("change", [DEVICE, SETTINGS])
def test_a_change_survives_its_way_over_the_bus(change):
    assert DocumentChange.from_message(change.to_message("n")) == change


def test_what_is_unknown_stands_in_no_message():
    assert not {"Type", "Rev", "Account-ID"} & SETTINGS.to_message("n").keys()


def test_a_deleted_document_is_a_change():
    message = SETTINGS.to_message("n") | {"Event-Name": "doc_deleted"}
    assert not DocumentChange.from_message(message).created


def test_another_event_is_refused():
    with pytest.raises(MessageInvalid, match="Event-Name: is not a change of a document"):
        DocumentChange.from_message({"Event-Name": "db_created", "Database": "x", "ID": "x"})
