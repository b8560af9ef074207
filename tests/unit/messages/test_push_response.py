"""push_resp."""

import pytest

from pusher.errors import MessageInvalid
from pusher.messages.push_response import PushResponse

REGISTERED = PushResponse(server_id="s", msg_id="m", token="t")
FAILED = PushResponse(server_id="s", msg_id="m", token="t", failure=("dead_token", "The push token is dead."))


def test_a_registered_phone_is_answered_in_kazoos_words_and_ours():
    message = REGISTERED.to_message("pusher@host")
    assert message.pop("App-Version")
    assert message == {
        "Event-Category": "notification",
        "Event-Name": "push_resp",
        "App-Name": "pusher",
        "Node": "pusher@host",
        "Msg-ID": "m",
        "Token-ID": "t",
        "Push-Status": "registered",
    }


def test_a_failure_adds_a_machine_word_and_a_sentence():
    message = FAILED.to_message("pusher@host")
    assert message["Push-Status"] == "failed"
    assert message["Push-Reason"] == "dead_token"
    assert message["Error-Message"] == "The push token is dead."


@pytest.mark.parametrize("response", [REGISTERED, FAILED])
def test_a_proxy_reads_what_was_written(response):
    assert PushResponse.from_message(response.to_message("n"), "s") == response


def test_kazoos_own_answer_means_registered():
    assert PushResponse.from_message({"Msg-ID": "m", "Token-ID": "t"}, "s") == REGISTERED


def test_a_failure_without_reason_is_refused():
    with pytest.raises(MessageInvalid, match="Push-Reason: is missing"):
        PushResponse.from_message({"Msg-ID": "m", "Token-ID": "t", "Push-Status": "failed"}, "s")


def test_the_token_stays_out_of_the_repr():
    assert "s3cr3t" not in repr(PushResponse(server_id="s", msg_id="m", token="s3cr3t"))
