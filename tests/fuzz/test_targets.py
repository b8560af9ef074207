"""Each fuzz target as a test, without atheris: its seeds, what was once found, and some hundred spoilt inputs."""

import logging

import pytest

from tests.fuzz.draw import Draw
from tests.fuzz.mutation import mutations
from tests.fuzz.table import TARGETS
from tests.fuzz.target import KEPT, Target

MUTATIONS = 200


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hostile input is warned about again and again."""
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_target_holds_for_its_seeds_and_for_what_was_found(target: Target) -> None:
    for data in (*target.seeds, b"", *(path.read_bytes() for path in target.kept())):
        target.run(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_target_holds_for_spoilt_inputs(target: Target) -> None:
    for data in mutations(target, MUTATIONS):
        target.run(data)


def test_the_spoilt_inputs_are_the_same_every_time() -> None:
    target = TARGETS["contact"]
    first = list(mutations(target, 50))
    assert list(mutations(target, 50)) == first
    assert len(set(first)) > 40


def test_every_finding_that_is_kept_belongs_to_a_target() -> None:
    assert {path.name for path in KEPT.iterdir()} <= set(TARGETS)


def test_a_slow_input_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(_: bytes) -> None:
        sum(range(10**6))

    monkeypatch.setattr("tests.fuzz.target.MAX_INPUT_S", 0.001)
    with pytest.raises(AssertionError, match="one input took"):
        Target(name="slow", check=spin, seeds=()).run(b"")


def test_equal_bytes_are_drawn_as_equal_values_and_no_input_is_too_short() -> None:
    data = bytes(range(256)) * 4
    first = repr([Draw(data[at:]).json() for at in range(200)])
    assert first == repr([Draw(data[at:]).json() for at in range(200)])
    assert Draw(b"").json() == {}
    assert Draw(b"\x00").text() == ""
