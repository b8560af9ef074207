"""Writes the locks under requirements/: exact versions, and the hashes of their wheels for every target.

    scripts/lock              the newest versions that setup.cfg allows
    scripts/lock NAME ...     the newest of these; all others stay

One version for all targets and extras. A lock names no index, so any mirror serves it.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.supply.declared import LOCKED, Locked, asked_for, lock_file, read_lock
from tests.supply.resolve import TARGETS, Wheel, needed, wheels

_HEADER = "# Made by scripts/lock, for kazoo-pusher[{extra}] on Python {pythons}, Linux with glibc, {machines}.\n"


def main(released: set[str]) -> None:
    before = {name: entry for extra in LOCKED for name, entry in read_lock(extra).items()}
    if released - before.keys():
        sys.exit(f"not in the locks: {', '.join(sorted(released - before.keys()))}")
    kept = [f"{entry.name}=={entry.version}" for entry in before.values() if released and entry.name not in released]
    found = _resolve(kept)
    print(f"{len(found)} packages, hashes for {len(TARGETS)} targets ...", file=sys.stderr)
    pins = [f"{wheel.name}=={wheel.version}" for wheel in found.values()]
    hashes: dict[str, set[str]] = {name: set() for name in found}
    with ThreadPoolExecutor(max_workers=len(TARGETS)) as pool:
        for each in pool.map(lambda target: wheels(target, pins), TARGETS):
            for wheel in each.values():
                hashes[wheel.name].add(wheel.sha256)
    after = {
        wheel.name: Locked(name=wheel.name, version=wheel.version, hashes=tuple(sorted(hashes[wheel.name])))
        for wheel in found.values()
    }
    for extra in LOCKED:
        _write(extra, [after[name] for name in sorted(needed(asked_for(extra).values(), found))])
    _tell_changes(before, after)


def _resolve(kept: list[str]) -> dict[str, Wheel]:
    """Return what all locked extras need together, on any target, in versions that agree with `kept`."""
    roots = {name: requirement for extra in LOCKED for name, requirement in asked_for(extra).items()}
    # Names are merged: what two extras ask for of one package must hold together, its extras too.
    lines = {str(requirement) for extra in LOCKED for requirement in asked_for(extra).values()}
    while True:
        found = wheels(TARGETS[0], sorted(lines), kept)
        wanted = needed(roots.values(), found)
        missing = [requirement for name, requirement in wanted.items() if name not in found]
        if not missing:
            return {name: found[name] for name in wanted}
        # Their markers hold on other targets only.
        lines |= {f"{requirement.name}{requirement.specifier}" for requirement in missing}


def _write(extra: str, entries: list[Locked]) -> None:
    pythons = ", ".join(dict.fromkeys(target.python for target in TARGETS))
    machines = ", ".join(dict.fromkeys(target.machine for target in TARGETS))
    path = lock_file(extra)
    path.parent.mkdir(exist_ok=True)
    header = _HEADER.format(extra=extra, pythons=pythons, machines=machines)
    path.write_text(header + "".join(f"{entry}\n" for entry in entries))


def _tell_changes(before: dict[str, Locked], after: dict[str, Locked]) -> None:
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in changed:
        old, new = before.get(name), after.get(name)
        was, now = old.version if old else "-", new.version if new else "-"
        print(f"{name} {was} -> {now}" if was != now else f"{name} {now}, other wheels")
    print(f"{len(changed)} of {len(after)} packages changed.")


if __name__ == "__main__":
    main({name.lower().replace("_", "-") for name in sys.argv[1:]})
