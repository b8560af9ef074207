"""`pusher check` on the real broker and Redis, with simulated providers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pusher.documents.sqlite import SQLiteDocuments
from pusher.simulators.stage import Stage
from tests.unit.cli.running import Pusher


@pytest.fixture
def stage(tmp_path: Path, bus_url: str) -> Iterator[Stage]:
    """Both providers and three apps; whatever is checked, nobody is pushed to and no rule of HTTP/2 is broken."""
    with Stage(tmp_path / "stage", bus_url) as stage:
        yield stage
        assert [*stage.apns.accepted, *stage.fcm.accepted] == []
        assert [*stage.apns.violations, *stage.fcm.violations] == []


@pytest.fixture
def staged(pusher: Pusher, stage: Stage, documents: SQLiteDocuments) -> Pusher:
    """The command, whose three apps reach the simulated providers."""
    documents.save("system_config", stage.pusher_document())
    pusher.environment["PUSHER_CA_FILE"] = str(stage.authority.ca_file)
    return pusher
