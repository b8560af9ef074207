"""What `pusher check` says of TLS with broker, Redis and CouchDB: each line tells what to look at."""

from pathlib import Path

import pytest

from pusher.simulators.stage import Stage
from tests.integration.check.checking import bad, checked
from tests.support.couchdb import CouchDB
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis import RedisServer
from tests.unit.cli.running import Pusher


@pytest.fixture
def secured(
    pusher: Pusher, tmp_path: Path, rabbitmq: RabbitMQ, bus_url: str, redis_server: RedisServer, couchdb: CouchDB
) -> Pusher:
    """The command, which reaches all three over TLS and trusts them."""
    ca_file = tmp_path / "ca.pem"
    servers = (rabbitmq, redis_server, couchdb)
    ca_file.write_text("".join(server.authority.ca_file.read_text() for server in servers))
    couchdb.create("system_config")
    with Stage(tmp_path / "stage", bus_url) as stage:
        couchdb.put("system_config", stage.pusher_document())
    pusher.environment |= {
        "PUSHER_BUS_URL": rabbitmq.tls_url(bus_url),
        "PUSHER_REDIS_URL": redis_server.tls_url(),
        "PUSHER_DOCUMENTS_URL": couchdb.tls_url,
        "PUSHER_CA_FILE": str(ca_file),
    }
    return pusher


def test_servers_that_are_trusted_are_reached(secured: Pusher) -> None:
    broker = secured.environment["PUSHER_BUS_URL"].replace("127.0.0.1", "localhost")
    findings = checked(secured, "--offline", PUSHER_BROKER_URL=broker)
    assert bad(findings) == set()
    for subject in ("bus", "tasks", "redis", "documents"):
        assert findings[subject]["status"] == "ok"
    assert secured("dead", "list").exit_code == 0


def test_servers_that_are_not_trusted_fail_each_for_itself(secured: Pusher) -> None:
    findings = checked(secured, "--offline", PUSHER_CA_FILE="")
    assert bad(findings) == {"bus", "redis", "documents"}
    for subject, setting in (("bus", "BUS"), ("redis", "REDIS"), ("documents", "DOCUMENTS")):
        text = findings[subject]["text"]
        assert "its certificate is not accepted: " in text
        assert f"look at PUSHER_{setting}_URL" in text


def test_servers_that_expect_tls_are_told_of(secured: Pusher) -> None:
    plain = {
        name: url.replace("amqps:", "amqp:").replace("rediss:", "redis:").replace("https:", "http:")
        for name, url in secured.environment.items()
        if name.endswith("_URL")
    }
    findings = checked(secured, "--offline", **plain)
    assert bad(findings) == {"bus", "redis", "documents"}
    for subject, scheme in (("bus", "amqps"), ("redis", "rediss"), ("documents", "https")):
        assert f"{scheme}://" in findings[subject]["text"]


def test_a_ca_file_that_holds_no_certificate_is_one_line(secured: Pusher, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for command in (("check",), ("listen",), ("dead", "list"), ("waits", "list")):
        result = secured(*command, env={"PUSHER_CA_FILE": str(tmp_path / "empty.pem")})
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: PUSHER_CA_FILE: ")
        assert len(result.stderr.splitlines()) == 1
