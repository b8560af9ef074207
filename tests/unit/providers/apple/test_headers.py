"""Topic, push type and header fields."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pusher.providers.apple.headers import headers_for
from pusher.push.app import AppleApp
from tests.unit.providers.issued import NOW, notification


def fields(app: AppleApp) -> dict[str, str]:
    headers = headers_for(notification(), app)
    assert headers is not None
    assert len(dict(headers.fields)) == len(headers.fields)
    assert dict(headers.fields)["apns-push-type"] == headers.push_type
    return dict(headers.fields)


def test_defaults_of_a_voip_app() -> None:
    assert fields(AppleApp(app_id="org.example.app.voip.prod")) == {
        "apns-topic": "org.example.app.voip",
        "apns-push-type": "voip",
        "apns-priority": "10",
        "apns-expiration": str(int(NOW.timestamp()) + 20),
        "apns-id": "11111111-2222-4333-8444-555555555555",
    }


@pytest.mark.parametrize(
    ("app_id", "topic", "push_type"),
    [
        ("org.example.app", "org.example.app", "alert"),
        ("org.example.app.voip", "org.example.app.voip", "voip"),
        ("org.example.app.voip.dev", "org.example.app.voip", "voip"),
        ("org.example.app.prod", "org.example.app", "alert"),
        ("org.example.app.prod.dev", "org.example.app.prod", "alert"),
        ("org.example.developer", "org.example.developer", "alert"),
    ],
)
def test_topic_and_push_type_from_the_app_id(app_id: str, topic: str, push_type: str) -> None:
    result = fields(AppleApp(app_id=app_id))
    assert (result["apns-topic"], result["apns-push-type"]) == (topic, push_type)


def test_settings_win_over_the_app_id() -> None:
    result = fields(AppleApp(app_id="a.voip", topic="org.set.voip", push_type="alert"))
    assert (result["apns-topic"], result["apns-push-type"]) == ("org.set.voip", "alert")


def test_configured_headers_win_in_either_spelling() -> None:
    result = fields(
        AppleApp(
            app_id="a",
            topic="b",
            push_type="alert",
            headers={
                "apns_push_type": "voip",
                "APNS-Priority": "5",
                "apns-topic": "c.d",
                "apns_expiration": "0",
            },
        )
    )
    assert result["apns-push-type"] == "voip"
    assert result["apns-priority"] == "5"
    assert result["apns-topic"] == "c.d"
    assert result["apns-expiration"] == "0"


def test_background_has_priority_5() -> None:
    assert fields(AppleApp(app_id="a", push_type="background"))["apns-priority"] == "5"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "bearer x"),
        ("Authorization", "bearer x"),
        ("apns_id", "x"),
        (":path", "/"),
        ("host", "x"),
        ("content_length", "1"),
        ("transfer-encoding", "chunked"),
        ("x y", "1"),
        ("", "1"),
        ("x-a\r\nx-b", "1"),
        ("x-a", "1\r\nx-b: 2"),
        ("x-a", "é"),
        ("x-a", ""),
        ("x-a", " 1"),
        ("x-a", "1\n"),
    ],
)
def test_what_http2_cannot_carry_or_is_ours_is_left_out_and_logged(
    name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with_it, without = (fields(AppleApp(app_id="a.b", headers=headers)) for headers in ({name: value}, {}))
    assert with_it == without
    assert "apple.headers" in caplog.text


@pytest.mark.parametrize("app_id", ["", "a b", "a\r\nb", "é", "x" * 256, ".dev", "/../x"])
def test_app_id_that_makes_no_topic_makes_no_headers(app_id: str) -> None:
    assert headers_for(notification(), AppleApp(app_id=app_id)) is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4))
def test_every_field_is_fit_for_the_wire(app_id: str, headers: dict[str, str]) -> None:
    result = headers_for(notification(), AppleApp(app_id=app_id, headers=headers))
    for name, value in result.fields if result is not None else ():
        assert name == name.lower()
        assert name.isascii()
        assert value.isascii()
        assert value.isprintable()
        assert not name.startswith(":")
