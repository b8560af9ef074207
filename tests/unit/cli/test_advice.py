"""One table of sentences: what `pusher push` and `pusher check` say is what docs/operating.md says."""

import re
from pathlib import Path

import pytest

from pusher.cli.advice import ADVICE, because
from pusher.push.app import ProviderName
from pusher.push.outcome import FailureReason

PAGE = Path(__file__).parents[3] / "docs" / "operating.md"


def plain(cell: str) -> str:
    """A cell of the page as a terminal shows it."""
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", cell).replace("`", "")


def test_the_sentences_are_those_of_the_page() -> None:
    section = PAGE.read_text().split("\n## Push-Reason\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert {plain(reason): (plain(means), plain(todo)) for reason, means, todo in rows} == {
        str(reason): tuple(advice) for reason, advice in ADVICE.items()
    }


def test_no_reason_is_without_advice() -> None:
    assert set(ADVICE) == set(FailureReason)


@pytest.mark.parametrize(
    ("provider", "code", "sentence"),
    [
        (ProviderName.APPLE, "Unregistered", "the app was removed from the device"),
        (ProviderName.FIREBASE, "UNAVAILABLE", "FCM is unavailable"),
        (ProviderName.FIREBASE, "Unregistered", None),
        (ProviderName.APPLE, "127.0.0.1: cannot connect", None),
    ],
)
def test_a_provider_s_word_is_explained_where_its_tables_know_it(
    provider: ProviderName, code: str, sentence: str | None
) -> None:
    assert because(provider, code) == sentence
