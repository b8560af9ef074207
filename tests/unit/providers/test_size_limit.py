"""What is left out of a push that is too large."""

import json

from pusher.messages.push_request import PushRequest
from pusher.providers.json_body import write_json
from pusher.providers.size_limit import fit
from pusher.push.outcome import FailureReason, Refused


def _render(request: PushRequest) -> bytes:
    texts = {"body": request.alert_body, "params": list(request.alert_params), "sound": request.sound}
    return write_json({**texts, **request.payload})


def _request(**fields: object) -> PushRequest:
    return PushRequest(token="t", token_type="apple", app_id="a", **fields)  # type: ignore[arg-type]


def test_what_fits_is_left_alone() -> None:
    request = _request(alert_body="x" * 100, payload={"note": "y" * 100})
    assert fit(request, _render, 4096) == _render(request)


def test_exactly_the_limit_fits() -> None:
    request = _request(alert_body="x" * 100)
    size = len(_render(request))
    assert fit(request, _render, size) == _render(request)
    assert json.loads(fit(request, _render, size - 1))["body"] is None  # type: ignore[arg-type]


def test_longest_text_goes_first_and_the_rest_stays() -> None:
    request = _request(alert_body="x" * 300, sound="ring.caf", payload={"note": "y" * 900, "name": "Bob"})
    body = fit(request, _render, 500)
    assert isinstance(body, bytes)
    assert json.loads(body) == {"body": "x" * 300, "params": [], "sound": "ring.caf", "name": "Bob"}


def test_texts_go_until_it_fits() -> None:
    payload = {f"key{n}": "y" * (100 + n) for n in range(50)}
    body = fit(_request(payload=payload), _render, 1000)
    assert isinstance(body, bytes)
    assert 850 < len(body) <= 1000
    # The longer ones went, the shorter ones stayed.
    assert set(json.loads(body)) - {"body", "params", "sound"} == {f"key{n}" for n in range(8)}


def test_lengths_count_in_bytes() -> None:
    body = fit(_request(alert_body="ü" * 60, sound="s" * 100), _render, 200)
    assert isinstance(body, bytes)
    assert json.loads(body) == {"body": None, "params": [], "sound": "s" * 100}


def test_what_the_call_needs_is_never_left_out() -> None:
    payload = {"registration-token": "r" * 300, "call-id": "c" * 300, "proxy": "p" * 300, "note": "n" * 10}
    outcome = fit(_request(payload=payload), _render, 800)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.PAYLOAD_TOO_LARGE


def test_large_objects_are_refused_not_cut() -> None:
    outcome = fit(_request(payload={"x": {"y": "z" * 5000}}), _render, 4096)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.PAYLOAD_TOO_LARGE
    assert "4096" in outcome.detail


def test_what_json_cannot_say_is_refused() -> None:
    outcome = fit(_request(payload={"x": float("nan")}), _render, 4096)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.REFUSED
