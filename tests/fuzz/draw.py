"""Makes values of a fuzzer's bytes: equal bytes make equal values, with and without atheris."""

from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Draw:
    """Reads an input from its beginning; behind its end all bytes are zero, so that no input is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return self._at < len(self._data)

    def rest(self) -> bytes:
        """Return what is left."""
        return self.bytes(len(self._data))

    def bytes(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end."""
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def byte(self) -> int:
        """Return 0 to 255."""
        return int.from_bytes(self.bytes(1), "big")

    def number(self, size: int = 4) -> int:
        """Return a number of `size` bytes without a sign."""
        return int.from_bytes(self.bytes(size), "big")

    def choice(self, options: Sequence[T]) -> T:
        """Return one of at most 256 `options`."""
        return options[self.byte() % len(options)]

    def text(self, *, errors: str = "replace") -> str:
        """Return a text of at most 255 bytes; the first 16 lengths stand for powers of two, up to 32,768."""
        length = self.byte()
        return self.bytes(length - 16 if length >= 16 else 1 << length).decode("utf-8", errors)

    def json(self, depth: int = 4) -> Any:
        """Return any value that JSON can write, and NaN."""
        kind = self.byte() % 10
        if kind == 0 and depth:
            return {self.text(): self.json(depth - 1) for _ in range(self.byte() % 8)}
        if kind == 1 and depth:
            return [self.json(depth - 1) for _ in range(self.byte() % 8)]
        if kind in (2, 3, 4):
            return self.text()
        if kind == 5:
            return self.number() - 2**31
        if kind == 6:
            return self.choice([0, 1, -1, 2**31, 2**63, 10**18, 10**19, 1.5, 1e300, float("nan"), float("-inf")])
        return self.choice([None, True, False, "", [], {}])
