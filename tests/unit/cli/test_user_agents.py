"""`test-user-agent` with a Contact: what the listener would learn of the phone, or why nothing."""

from pathlib import Path
from urllib.parse import quote

import pytest

from pusher.documents import pusher_document
from pusher.documents.sqlite import SQLiteDocuments
from pusher.push.app import TokenKey
from pusher.redact import fingerprint
from tests.unit.cli.running import Pusher

TOKEN = "0a" * 32
TEST = ("maintenance", "test-user-agent")
OLD = f"<sip:u@h;app-id=org.example.old;pn-type=apple;pn-tok={TOKEN}>"
TODAY = f"<sip:u@h;pn-provider=apns;pn-param=T1.org.example.app.voip;pn-prid={TOKEN}:voip>"


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path) -> None:
    """One app, known under its older name, and one rule."""
    store = SQLiteDocuments(tmp_path / "pusher.db")
    key = TokenKey(key_id="ABCDE12345", team_id="TEAM123456", private_key="k")
    mapping = {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"}

    def fill(document: dict[str, object]) -> None:
        pusher_document.set_apple_key(document, "org.example.app.voip.prod", key)
        pusher_document.set_user_agent(document, "Linphone", "^Linphone", mapping)

    pusher_document.change(store, fill)
    store.close()


def test_a_phone_of_today_is_shown_with_its_token_as_fingerprint(pusher: Pusher) -> None:
    assert pusher.done(*TEST, "Acme/1", TODAY).splitlines() == [
        f"Answers the calls that wait for push token {fingerprint(TOKEN)}.",
        "Learned by RFC 8599, with Token-Proxy from the registration's Proxy-Path unless it stands here:",
        "Key         Value",
        "Token-App   org.example.app.voip.prod",
        f"Token-ID    {fingerprint(TOKEN)}",
        "Token-Type  apple",
    ]


def test_a_phone_that_a_rule_knows_is_shown_with_the_rule(pusher: Pusher) -> None:
    said = pusher.done(*TEST, "Linphone/4", OLD.replace(">", ";x-token-reg=reg-1>"))
    assert f"push token {fingerprint(TOKEN)} or registration token {fingerprint('reg-1')}." in said
    assert "Learned by rule Linphone" in said
    assert "Token-App   org.example.old" in said
    assert TOKEN not in said
    assert "reg-1" not in said


@pytest.mark.parametrize(
    ("user_agent", "contact", "why"),
    [
        ("Acme/1", OLD, "no rule matches, and no binding that is made has pn-provider (RFC 8599)"),
        ("Linphone/4", "<sip:u@h>", "no binding that is made has pn-tok (rule Linphone) or pn-provider (RFC 8599)"),
        ("Linphone/4", f"{OLD};expires=0", "no binding that is made has pn-tok (rule Linphone) or"),
        (
            "Acme/1",
            TODAY.replace("T1.org", "T1.net"),
            "unknown_app: The settings have no credential for this app. App:",
        ),
        ("Acme/1", TODAY.replace(":voip", ":remote"), "ambiguous_tokens: pn-prid does not tell"),
        ("Acme/1", TODAY.replace("apns", "webpush"), "unsupported_provider: No push service"),
        ("Acme/1", "<sip:u@h;pn-provider>", "capability_query: The phone asks"),
        ("Linphone/4", "<sip:u@h", "Contact: has a quote or angle bracket without its partner; such a registration"),
        ("Linphone/4", "", "Contact: is missing"),
    ],
)
def test_where_nothing_would_be_learned_it_says_why(pusher: Pusher, user_agent: str, contact: str, why: str) -> None:
    said = pusher.fails(*TEST, user_agent, contact)
    assert why in said
    assert TOKEN not in said


def test_what_a_stranger_wrote_cannot_colour_the_terminal(pusher: Pusher) -> None:
    contact = OLD.replace("pn-type=apple", f"pn-type={quote('é')}").replace("org.example", "org\u202eexample")
    result = pusher(*TEST, "Linphone/4", contact)
    assert "\u202e" not in result.output


def test_without_a_contact_it_names_the_rule(pusher: Pusher) -> None:
    assert pusher.done(*TEST, "Linphone/4").startswith("Linphone: ")
    assert pusher.fails(*TEST, "Acme/1").startswith("no rule matches")
