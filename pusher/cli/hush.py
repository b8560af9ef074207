"""Keeps the log's lines off the terminal while a command tells the same in its own words."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hushed() -> Iterator[None]:
    """Have no record of ours reach Python's handler of last resort, which would print bare texts on standard error."""
    logger, handler = logging.getLogger("pusher"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
