"""The command on embedded edges, and credentials of every kind."""

from pathlib import Path

import pytest

from tests.unit.cli.running import Pusher


@pytest.fixture
def pusher(tmp_path: Path) -> Pusher:
    """The command, with a documents file of its own."""
    return Pusher(tmp_path)
