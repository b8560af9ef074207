"""The store in which clients share tokens."""

import time

import pytest

from tests.unit.providers.doubles import MemoryTokens


@pytest.fixture
def store() -> MemoryTokens:
    """Return what stands for Redis."""
    return MemoryTokens(time.time)
