"""What a fuzz target is: a function that takes any bytes and raises where the code under test does what it must not."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Seconds of the thread's own time in which every input is dealt with; ordinary ones take less than a thousandth.
MAX_INPUT_S = 1.0
#: Inputs that were findings once, in a folder for each target.
KEPT = Path(__file__).parent / "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One entry of the table in `table.py`."""

    name: str
    #: Raises whatever is not an error that the code under test documents, and `AssertionError` for a broken promise.
    check: Callable[[bytes], None]
    #: Sound inputs to begin with.
    seeds: tuple[bytes, ...]
    #: What the fuzzer shall try to put in.
    words: tuple[bytes, ...] = ()
    #: Bytes of the longest input.
    max_length: int = 4096

    def run(self, data: bytes) -> None:
        """Check one input, its time among the rest: the clock is the thread's, so a busy machine is no finding."""
        began = time.thread_time()
        self.check(data)
        took_s = time.thread_time() - began
        assert took_s < MAX_INPUT_S, f"one input took {took_s:.1f} s"

    def kept(self) -> list[Path]:
        """Return the files of the findings that were fixed."""
        return sorted((KEPT / self.name).glob("*"))
