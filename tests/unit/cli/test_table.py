"""Tables line up, and print nothing that moves the cursor."""

import pytest

from pusher.cli.table import printable, table


def test_columns_line_up_and_lines_end_where_their_text_ends(capsys: pytest.CaptureFixture[str]) -> None:
    table(("Name", "Count"), [("a", 1), ("longer name", 22)])
    assert capsys.readouterr().out == "Name         Count\na            1\nlonger name  22\n"


def test_there_is_no_heading_without_rows(capsys: pytest.CaptureFixture[str]) -> None:
    table(("Name",), [])
    assert capsys.readouterr().out == ""


def test_what_strangers_wrote_cannot_forge_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    table(("Name",), [("a\nb\x1b[31m\u202e",)])
    assert capsys.readouterr().out == "Name\na\\nb\\x1b[31m\\u202e\n"


@pytest.mark.parametrize("text", ["Müller", "日本", "a b", "{}"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert printable(text) == text
