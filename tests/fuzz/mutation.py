"""Spoils inputs at random and yet the same way every time: what the tests do in place of atheris."""

import random
from collections.abc import Iterator

from tests.fuzz.target import Target

_BYTES = (b"\x00", b"\xff", b"\x7f", b"\x80", b'"', b"{", b"[", b"\\", b"\n", b"%", b";")


def mutations(target: Target, count: int) -> Iterator[bytes]:
    """Yield `count` inputs made of the target's seeds and words."""
    rng = random.Random(target.name)
    words = (*_BYTES, *target.words)
    for _ in range(count):
        data = rng.choice(target.seeds)
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            data = _spoilt(rng, data, words, target.seeds)
        yield data[: target.max_length]


def _spoilt(rng: random.Random, data: bytes, words: tuple[bytes, ...], seeds: tuple[bytes, ...]) -> bytes:
    at = rng.randint(0, len(data))
    end = min(len(data), at + rng.choice((0, 1, 1, 2, 4, 16, 64)))
    match rng.randrange(6):
        case 0:
            return data[:at] + rng.choice(words) + data[end:]
        case 1:
            return data[:at] + rng.randbytes(rng.choice((1, 1, 2, 4, 9))) + data[end:]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:at] + data[at:end] * rng.choice((2, 3, 50)) + data[end:]
        case 4:
            other = rng.choice(seeds)
            return data[:at] + other[rng.randint(0, len(other)) :]
        case _:
            return data[:at]
