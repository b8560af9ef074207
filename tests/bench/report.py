"""Makes `docs/performance.md` and its plots of a run; the prose is `guide.md`, beside this file."""

import textwrap
from pathlib import Path
from string import Template

import matplotlib

from tests.bench.result import Goal, Plot, Result, Run, Table, written

matplotlib.use("Agg")
from matplotlib import pyplot

GUIDE = Path(__file__).with_name("guide.md")


def write_report(run: Run, docs: Path) -> None:
    """Write the page and its pictures into folder `docs`."""
    pictures = docs / "performance"
    pictures.mkdir(exist_ok=True)
    for result in run.results:
        for plot in result.plots:
            draw(plot, pictures / f"{plot.name}.png")
    run.write(pictures / "results.json")
    words = {
        f"{result.name}_{name}": written(_rounded(value))
        for result in run.results
        for name, value in result.figures.items()
    }
    page = Template(GUIDE.read_text()).substitute(
        words, machine=run.machine, at=run.at, results="\n\n".join(map(_section, run.results))
    )
    (docs / "performance.md").write_text("".join(map(_wrapped, page.splitlines(keepends=True))))


def _wrapped(line: str) -> str:
    """Return a line of the page, prose in lines of at most 120 characters."""
    return line if line.startswith(("|", "!")) else textwrap.fill(line, 120, break_on_hyphens=False) + "\n"


def draw(plot: Plot, path: Path) -> None:
    """Draw `plot` as a PNG."""
    figure, axes = pyplot.subplots(figsize=(7, 4), dpi=100)
    for label, points in plot.curves.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=label)
    axes.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label)
    axes.set_xscale("log" if plot.log_x else "linear")
    axes.set_yscale("log" if plot.log_y else "linear")
    if not plot.log_y:
        axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    # Without the date and version that matplotlib would write, the same results make the same file.
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def _section(result: Result) -> str:
    parts = [f"### {result.title}", *map(_table, result.tables), *result.notes]
    parts += [f"![{plot.title}](performance/{plot.name}.png)" for plot in result.plots]
    parts += ["\n".join(["| goal | found | wanted | |", "|---|---|---|---|", *map(_goal, result.goals)])]
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    lines = [_line(table.columns), _line(["---", *["---:"] * (len(table.columns) - 1)])]
    lines += [_line([written(cell) for cell in row]) for row in table.rows]
    return f"{table.title}:\n\n" + "\n".join(lines)


def _goal(goal: Goal) -> str:
    return _line(
        [goal.text, written(goal.value), f"at {goal.kind} {written(goal.limit)}", "" if goal.holds else "missed"]
    )


def _line(cells: "list[str] | tuple[str, ...]") -> str:
    return f"| {' | '.join(cells)} |"


def _rounded(value: float) -> float:
    """Return `value` with two digits that count, as prose quotes a figure that another run would not repeat."""
    return float(f"{value:.2g}")
