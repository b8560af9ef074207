"""The command on embedded edges, and credentials of every kind."""

from pathlib import Path

import pytest

from pusher.simulators.authority import Authority
from tests.unit.cli.running import Pusher


@pytest.fixture
def pusher(tmp_path: Path) -> Pusher:
    """The command, with a documents file of its own."""
    return Pusher(tmp_path)


@pytest.fixture(scope="package")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Apple's and Google's authority."""
    return Authority(tmp_path_factory.mktemp("authority"))
