"""What setup.cfg and pyproject.toml ask for, and the lock files under requirements/ that answer it."""

import configparser
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NAME = "kazoo-pusher"
#: The extras with a lock. Others, whose packages have no wheels for all targets, are installed unlocked.
LOCKED = ("fast", "demo", "bench", "dev", "audit")

_ENTRY = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One package of a lock."""

    name: str
    version: str
    #: SHA-256 of a wheel for each target, in hex, sorted.
    hashes: tuple[str, ...]

    @classmethod
    def of(cls, written: str) -> Self:
        """Return what an entry says. Raises `ValueError`, for one that names an address, among others."""
        entry = _ENTRY.fullmatch(written)
        if entry is None:
            raise ValueError(f"is no name, version and hashes: {written}")
        hashes = tuple(re.findall(r"sha256:(\w+)", entry["hashes"]))
        return cls(name=entry["name"], version=entry["version"], hashes=hashes)

    def __str__(self) -> str:
        return " \\\n    --hash=sha256:".join((f"{self.name}=={self.version}", *self.hashes))


def lock_file(extra: str) -> Path:
    """Return where the lock of `extra` stands."""
    return ROOT / "requirements" / f"{extra}.txt"


def read_lock(extra: str) -> dict[str, Locked]:
    """Return the packages of the lock of `extra` by name; none where there is no lock. Raises `ValueError`."""
    path = lock_file(extra)
    lines = path.read_text().splitlines() if path.exists() else []
    body = "\n".join(line for line in lines if line and not line.startswith("#"))
    entries = [Locked.of(written) for written in re.split(r"\n(?! )", body) if written]
    return {entry.name: entry for entry in entries}


def asked_for(extra: str) -> dict[str, Requirement]:
    """Return by name what an installation with `extra` needs, and what builds it."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    todo = [extra]
    while todo:
        for line in config["options.extras_require"][todo.pop()].splitlines():
            requirement = Requirement(line) if line else None
            if requirement and canonicalize_name(requirement.name) == NAME:
                todo += requirement.extras
            else:
                lines.append(line)
    lines += tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    requirements = [Requirement(line) for line in lines if line]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}
