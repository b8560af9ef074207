"""Holds the shape of the code: who may import whom, where each third-party package lives, how large things may grow."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: From the top down (design.md 2): a layer imports itself and what stands below it, and nothing else of ours.
PURE = {"messages", "registration", "push"}
GROUND = {"errors", "clock", "redact", "logs", "outage", "settings", "__init__"}
EDGES = {"bus", "http2", "providers", "stores", "documents"}
MAY_IMPORT = {
    "cli": {"cli", "tasks", "simulators", "wiring", "ports", "flows", "trust"} | EDGES | PURE | GROUND,
    "tasks": {"tasks", "wiring", "bus"} | PURE | GROUND,
    "simulators": {"simulators", "bus"} | PURE | GROUND,
    "wiring": {"ports", "flows", "trust"} | EDGES | PURE | GROUND,
    "bus": {"bus", "trust"} | PURE | GROUND,
    "http2": {"http2", "trust"} | GROUND,
    "providers": {"providers", "http2", "trust", "ports"} | PURE | GROUND,
    "stores": {"stores", "trust", "ports"} | PURE | GROUND,
    "documents": {"documents", "trust", "ports", "edit"} | PURE | GROUND,
    "flows": {"flows", "ports", "edit"} | PURE | GROUND,
    "ports": PURE | GROUND,
    "edit": {"ports"} | GROUND,
    "trust": GROUND,
    **dict.fromkeys(PURE, PURE | {"errors", "clock", "redact", "__init__"}),
    **dict.fromkeys(GROUND, GROUND),
    "celeryconfig": {"bus", "errors", "push", "settings"},
}

#: The one home of each third-party package; simulators speak every protocol themselves.
HOMES = {
    "amqp": {"bus"},
    "celery": {"tasks"},
    "click": {"cli"},
    "cryptography": {"documents", "providers", "simulators"},
    "fakeredis": {"cli"},
    "google": {"providers"},
    "h2": {"http2", "simulators"},
    "hpack": {"http2"},
    "hyperframe": {"http2"},
    "kombu": {"bus", "simulators", "tasks", "celeryconfig"},
    "redis": {"stores", "wiring"},
    "regex": {"registration"},
    "requests": {"providers", "documents", "trust"},
    "rich": {"cli"},
    "urllib3": {"trust"},
}
STDLIB_AND_OURS = {"pusher", "tasks", *__import__("sys").stdlib_module_names}

MODULE_LINES, FUNCTION_LINES, NESTING = 250, 40, 3

SOURCES = sorted([*ROOT.glob("pusher/**/*.py"), *ROOT.glob("tasks/*.py"), ROOT / "celeryconfig.py"])


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def layer(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "pusher" else parts[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    ours = [name.split(".") for name in imports(path) if name.split(".")[0] in ("pusher", "tasks")]
    wrong = []
    for parts in ours:
        target = "tasks" if parts[0] == "tasks" else parts[1] if len(parts) > 1 else "__init__"
        target = "__init__" if target == "__version__" else target
        if target not in MAY_IMPORT[layer(path)]:
            wrong.append(".".join(parts))
    assert not wrong


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_third_party_package_is_used_in_its_home_only(path: Path) -> None:
    foreign = {name.split(".")[0] for name in imports(path)} - STDLIB_AND_OURS
    assert not {name for name in foreign if layer(path) not in HOMES[name]}


def test_pusher_imports_tasks_in_listen_and_demo_only() -> None:
    importers = {
        named(path)
        for path in SOURCES
        if path.parts[-2] != "tasks" and any(name.split(".")[0] == "tasks" for name in imports(path))
    }
    assert importers <= {"pusher/cli/listen.py", "pusher/cli/demo_world.py"}


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_and_its_functions_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MODULE_LINES
    too_long = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION_LINES or depth(node) - 1 > NESTING:
                too_long.append((node.name, lines, depth(node) - 1))
    assert not too_long


def depth(node: ast.AST) -> int:
    """Count the blocks inside one another; `elif` and `case` do not go deeper than their `if` and `match`."""
    blocks = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match | ast.FunctionDef
    deepest = 0
    for child in ast.iter_child_nodes(node):
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child) - (1 if is_elif else 0))
    return deepest + isinstance(node, blocks)


def test_exceptions_are_caught_wholesale_in_three_places_at_most() -> None:
    wholesale = [
        f"{named(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert len(wholesale) <= 3, wholesale
