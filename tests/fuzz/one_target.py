"""The process of one target: `python -m tests.fuzz.one_target NAME FLAGS... CORPUS...`, with libFuzzer's flags."""

import hashlib
import logging
import sys
from pathlib import Path

import atheris

# Ours alone: what libraries do is not what is looked for, and coverage costs time.
with atheris.instrument_imports(include=["pusher"]):
    from tests.fuzz.table import TARGETS


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    name, *flags = sys.argv[1:]
    target = TARGETS[name]
    # Hostile input is warned about, millions of times.
    logging.disable(logging.CRITICAL)
    corpus = Path(next(flag for flag in flags if not flag.startswith("-")))
    for seed in target.seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    if target.words:
        words = corpus.parent / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        flags.append(f"-dict={words}")
    atheris.Setup([sys.argv[0], *flags], target.run)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
