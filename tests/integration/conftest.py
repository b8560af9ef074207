"""What operators work with: the command, and its documents file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pusher.documents.sqlite import SQLiteDocuments
from tests.unit.cli.running import Pusher


@pytest.fixture
def pusher(tmp_path: Path, bus_url: str, redis_url: str) -> Pusher:
    """The command, on real servers and a documents file of its own."""
    return Pusher(tmp_path, PUSHER_BUS_URL=bus_url, PUSHER_REDIS_URL=redis_url)


@pytest.fixture
def documents(pusher: Pusher) -> Iterator[SQLiteDocuments]:
    """What the command reads and writes."""
    store = SQLiteDocuments(pusher.folder / "pusher.db")
    yield store
    store.close()
