"""How secrets appear where people read."""

import pytest

from pusher import redact


def test_a_fingerprint_is_short_stable_and_tells_tokens_apart():
    assert redact.fingerprint("s3cr3t") == "#4e738ca556"
    assert redact.fingerprint("s3cr3t2") != redact.fingerprint("s3cr3t")


def test_a_fingerprint_is_the_start_of_the_digest_in_redis():
    assert redact.digest("s3cr3t").startswith(redact.fingerprint("s3cr3t")[1:])
    assert len(redact.digest("s3cr3t")) == 32


def test_no_secret_is_a_dash_and_an_empty_one_is_not():
    assert redact.fingerprint(None) == "-"
    assert redact.fingerprint("").startswith("#")


def test_text_that_no_encoder_takes_has_a_fingerprint_too():
    assert redact.fingerprint("\ud800") != redact.fingerprint("\ud801")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://user:pass@host:5672//", "amqp://***@host:5672//"),
        ("https://token@host/path?key=s3cr3t#frag", "https://***@host/path"),
        ("http://a:b@c:d@host:5984", "http://***@host:5984"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("sqlite:///pusher.db", "sqlite:///pusher.db"),
        ("amqp://user:pa/s#s@host//", "amqp://***@host//"),
        ("http://[x", "http://[x"),
        ("s3cr3t", "***"),
    ],
)
def test_a_url_is_shown_without_user_password_query_and_fragment(url, shown):
    assert redact.url(url) == shown


def test_a_message_keeps_its_plain_keys_and_loses_its_tokens_at_any_depth():
    token = "fX9_q:APA91bH-Example_Token~0123456789"
    shown = redact.message({"Call-ID": "1-10722@127.0.0.1", "Token-ID": token, "Payload": {"a": [token, 5, None]}})
    assert shown == {
        "Call-ID": "1-10722@127.0.0.1",
        "Token-ID": redact.fingerprint(token),
        "Payload": {"a": [redact.fingerprint(token), 5, None]},
    }


def test_a_token_is_hidden_however_short_it_is():
    assert redact.message({"Token-ID": "abc"}) == {"Token-ID": redact.fingerprint("abc")}


def test_a_token_inside_a_text_or_a_key_becomes_its_fingerprint():
    contact = "Ann <sip:a@b;pn-tok=4A5B4A5B4A5B4A5B>"
    assert "4A5B" not in redact.text(contact)
    assert redact.text(contact).startswith("Ann <sip:a@b;")
    assert "4A5B" not in str(redact.message({"4A5B4A5B4A5B4A5B": 1}))
