"""The locks answer setup.cfg, agree with one another, and name no place to fetch from."""

import pytest
from packaging.requirements import Requirement

from tests.supply.declared import LOCKED, Locked, asked_for, lock_file, read_lock
from tests.supply.resolve import TARGETS, Wheel, needed

HASH = "0" * 64


@pytest.mark.parametrize("extra", LOCKED)
def test_everything_that_setup_cfg_asks_for_is_locked_in_a_version_that_it_allows(extra: str) -> None:
    locked = read_lock(extra)
    asked = asked_for(extra)
    assert len(asked) > 10
    assert not {str(each) for name, each in asked.items() if name not in locked}
    assert not {str(each) for name, each in asked.items() if not each.specifier.contains(locked[name].version)}


def test_all_locks_hold_the_same_versions_with_the_same_hashes() -> None:
    entries = {entry for extra in LOCKED for entry in read_lock(extra).values()}
    assert len(entries) == len({entry.name for entry in entries})


@pytest.mark.parametrize("extra", LOCKED)
def test_a_lock_names_no_index(extra: str) -> None:
    # Each entry is a name, a version and hashes, or reading it would have failed.
    assert read_lock(extra)
    assert "://" not in lock_file(extra).read_text()
    assert not [line for line in lock_file(extra).read_text().splitlines() if line.startswith("-")]


@pytest.mark.parametrize(
    "written",
    [
        "a==1",
        "a>=1 \\\n    --hash=sha256:" + HASH,
        "a @ file:///tmp/a.whl",
        "--index-url=x",
        "a==1 \\\n    --hash=md5:0",
    ],
)
def test_what_is_no_exact_version_with_hashes_is_no_entry(written: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        Locked.of(written)


def test_an_entry_is_read_as_it_was_written() -> None:
    entry = Locked(name="a-b", version="1.0.post1", hashes=(HASH, "1" * 64))
    assert Locked.of(str(entry)) == entry


def wheel(name: str, *requires: str) -> Wheel:
    return Wheel(name=name, version="1", sha256=HASH, requires=tuple(Requirement(each) for each in requires))


@pytest.mark.parametrize(
    ("requirement", "is_needed"),
    [
        ("b", True),
        ("b; python_version >= '3.13'", True),
        ("b; python_full_version < '3.11.3'", True),
        ("b; platform_machine == 'aarch64'", True),
        ("b; python_version < '3.11'", False),
        ("b; sys_platform == 'win32'", False),
        ("b; extra == 'more'", False),
    ],
)
def test_what_any_target_needs_is_needed(requirement: str, is_needed: bool) -> None:
    assert len(TARGETS) == 6
    assert ("b" in needed([Requirement("a")], {"a": wheel("a", requirement)})) == is_needed


def test_an_extra_brings_what_it_needs_even_in_a_circle() -> None:
    found = {"a": wheel("a", "c; extra == 'more'"), "c": wheel("c", "a[more]", "d")}
    assert set(needed([Requirement("a")], found)) == {"a"}
    assert set(needed([Requirement("a[more]")], found)) == {"a", "c", "d"}
