"""Asks pip what it would install on a target, and works out who needs what of it. Nothing is installed."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Of glibc: Debian 10's and later have this.
_OLDEST_GLIBC = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an installation may run."""

    python: str
    machine: str

    def environments(self) -> Iterator[dict[str, str]]:
        """Yield what markers may see there: a requirement may hold for some patch releases only."""
        for patch in ("0", "99"):
            yield {
                **{name: str(value) for name, value in default_environment().items()},
                "python_version": self.python,
                "python_full_version": f"{self.python}.{patch}",
                "platform_machine": self.machine,
            }

    def options(self) -> list[str]:
        """Return what tells pip of it."""
        platforms = [f"manylinux_2_{minor}_{self.machine}" for minor in range(_OLDEST_GLIBC, 16, -1)]
        platforms.append(f"manylinux2014_{self.machine}")
        return [f"--python-version={self.python}", *(f"--platform={platform}" for platform in platforms)]


#: The oldest Python first: it needs the most backports, and has the fewest releases to choose from.
TARGETS = [
    Target(python=python, machine=machine) for python in ("3.11", "3.12", "3.13") for machine in ("x86_64", "aarch64")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One package as a target would get it."""

    name: str
    version: str
    sha256: str
    requires: tuple[Requirement, ...]


def wheels(target: Target, requirements: Iterable[str], constraints: Iterable[str] = ()) -> dict[str, Wheel]:
    """Return by name the wheels that pip would install on `target`. Exits with pip's words where it finds none."""
    with tempfile.TemporaryDirectory() as directory:
        wanted, limits, report = (Path(directory, name) for name in ("wanted", "limits", "report"))
        wanted.write_text("\n".join(requirements))
        limits.write_text("\n".join(constraints))
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--dry-run"]
        options = ["--ignore-installed", "--only-binary=:all:", f"--target={directory}/none", f"--report={report}"]
        files = [f"--requirement={wanted}", f"--constraint={limits}"]
        command = [*pip, *options, *files, *target.options()]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{target.python} on {target.machine}:\n{done.stderr}")
        found = [_wheel(entry) for entry in json.loads(report.read_text())["install"]]
    return {wheel.name: wheel for wheel in found}


def _wheel(entry: Mapping) -> Wheel:
    metadata, archive = entry["metadata"], entry["download_info"]["archive_info"]
    return Wheel(
        name=canonicalize_name(metadata["name"]),
        version=metadata["version"],
        # An index that gives no hashes cannot be locked from.
        sha256=archive["hashes"]["sha256"],
        requires=tuple(Requirement(line) for line in metadata.get("requires_dist", [])),
    )


def needed(roots: Iterable[Requirement], found: Mapping[str, Wheel]) -> dict[str, Requirement]:
    """Return by name what `roots` need on any target, themselves included, and a requirement that names it.

    What is not in `found` is returned all the same: pip judges markers by the Python that runs it, not by the target.
    """
    environments = [environment for target in TARGETS for environment in target.environments()]
    names: dict[str, Requirement] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(root, extra) for root in roots for extra in ("", *root.extras)]
    while todo:
        requirement, extra = todo.pop()
        name = canonicalize_name(requirement.name)
        names.setdefault(name, requirement)
        if (name, extra) in seen or name not in found:
            continue
        seen.add((name, extra))
        for next_one in found[name].requires:
            marker = next_one.marker
            if marker is None or any(marker.evaluate({**each, "extra": extra}) for each in environments):
                todo += [(next_one, further) for further in ("", *next_one.extras)]
    return names
