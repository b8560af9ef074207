"""The benchmarks run, keep what they found, and the performance page is made of it. No figure is judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import NAMES
from tests.bench.report import write_report
from tests.bench.result import Goal, Result, Run, written

ROOT = Path(__file__).parents[2]


def test_benchmarks_run_and_keep_what_they_found(tmp_path: Path) -> None:
    kept = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", str(kept), "start", "listener_calls"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    run = Run.read(kept)
    assert [result.name for result in run.results] == ["listener_calls", "start"]
    for result in run.results:
        assert result.title in done.stdout
        assert all(table.rows for table in result.tables)
        assert all(goal.value > 0 for goal in result.goals)


def test_the_performance_page_is_what_its_results_make(tmp_path: Path) -> None:
    """`scripts/bench --report` was run after the last change of guide or results."""
    docs = ROOT / "docs"
    run = Run.read(docs / "performance" / "results.json")
    assert [result.name for result in run.results] == list(NAMES)
    write_report(run, tmp_path)
    assert (tmp_path / "performance.md").read_text() == (docs / "performance.md").read_text()
    for result in run.results:
        for plot in result.plots:
            assert (tmp_path / "performance" / f"{plot.name}.png").stat().st_size > 5000
            assert (docs / "performance" / f"{plot.name}.png").is_file()


@pytest.mark.parametrize(
    ("kind", "value", "holds"), [("least", 2.5, True), ("least", 2.4, False), ("most", 2.5, True), ("most", 2.6, False)]
)
def test_a_goal_is_reached_or_missed(kind: str, value: float, holds: bool) -> None:
    assert Goal(text="x", value=value, kind=kind, limit=2.5).holds is holds


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = Run.read(ROOT / "docs" / "performance" / "results.json").results
    Run(machine="m", at="now", results=results).write(tmp_path / "x.json")
    assert Run.read(tmp_path / "x.json").results == results
    assert json.loads((tmp_path / "x.json").read_text())["machine"] == "m"
    assert all(isinstance(result, Result) for result in results)


@pytest.mark.parametrize(
    ("cell", "text"), [("a", "a"), (3, "3"), (12_345, "12,345"), (1234.5, "1,234"), (0.12345, "0.123"), (2.0, "2")]
)
def test_cells_have_three_digits_that_count(cell: str | float, text: str) -> None:
    assert written(cell) == text
