"""What a benchmark found: tables, goals, curves and single figures, as values that are printed and kept as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

Cell = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells; floats are printed with three digits that count."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of what this benchmark should reach."""

    text: str
    value: float
    #: `least`: the value must not be below the limit; `most`: not above.
    kind: Literal["least", "most"]
    limit: float

    @property
    def holds(self) -> bool:
        """Whether it is reached."""
        return self.value >= self.limit if self.kind == "least" else self.value <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Curves over one axis."""

    #: Also the picture's file name.
    name: str
    title: str
    x_label: str
    y_label: str
    #: Points of each curve by its label.
    curves: dict[str, list[tuple[float, float]]]
    log_x: bool = True
    log_y: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of one benchmark found."""

    name: str
    title: str
    tables: list[Table]
    goals: list[Goal]
    plots: list[Plot] = field(default_factory=list)
    #: Sentences that a reader of the tables needs.
    notes: list[str] = field(default_factory=list)
    #: Figures that the performance page quotes, by name.
    figures: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Self:
        """Return the value that `to_json` wrote."""
        return cls(
            name=written["name"],
            title=written["title"],
            tables=[Table(**{**table, "rows": [tuple(row) for row in table["rows"]]}) for table in written["tables"]],
            goals=[Goal(**goal) for goal in written["goals"]],
            plots=[Plot(**plot) for plot in written["plots"]],
            notes=written["notes"],
            figures=written["figures"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Results of one machine and day, as they lie in a JSON file."""

    machine: str
    #: UTC, `2026-01-31 12:00`.
    at: str
    results: list[Result]

    def write(self, path: Path) -> None:
        """Write the file."""
        written = {"machine": self.machine, "at": self.at, "results": [result.to_json() for result in self.results]}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(written, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file that `write` wrote."""
        written = json.loads(path.read_text())
        return cls(
            machine=written["machine"],
            at=written["at"],
            results=[Result.from_json(result) for result in written["results"]],
        )


def machine() -> str:
    """Return what this machine is, in a line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {model}, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the sorted `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def written(cell: Cell) -> str:
    """Return a cell as people read it."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.3g}"


def printed(result: Result) -> str:
    """Return a result as text for a terminal."""
    lines = [f"== {result.title}"]
    for table in result.tables:
        rows = [table.columns, *(tuple(written(cell) for cell in row) for row in table.rows)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
        lines += ["", table.title]
        lines += ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += ["", *(f"  {note}" for note in result.notes)] if result.notes else []
    lines += ["", *(f"  {'ok  ' if goal.holds else 'MISS'} {_goal(goal)}" for goal in result.goals)]
    return "\n".join(lines)


def _goal(goal: Goal) -> str:
    return f"{goal.text}: {written(goal.value)} (at {goal.kind} {written(goal.limit)})"
