"""An authority for all tests here, and the store in which clients share tokens."""

import time

import pytest

from pusher.simulators.authority import Authority
from tests.unit.providers.doubles import MemoryTokens


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return the authority whose certificates client and simulators trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def store() -> MemoryTokens:
    """Return what stands for Redis."""
    return MemoryTokens(time.time)
