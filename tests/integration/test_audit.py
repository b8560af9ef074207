"""scripts/audit against stand-ins of the advisory service, on loopback."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class AdvisoryService(ThreadingHTTPServer):
    """Answers OSV's query for one package and version; knows advisories against the packages in `vulnerable`."""

    vulnerable: frozenset[str] = frozenset()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"


class Query(BaseHTTPRequestHandler):
    server: AdvisoryService

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package = asked["package"]
        affected = {"package": package, "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "9999"}]}]}
        found = {"id": "PYSEC-2026-1", "summary": "x", "aliases": ["CVE-2026-1"], "affected": [affected]}
        answer = json.dumps({"vulns": [found]} if package["name"] in self.server.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[AdvisoryService]:
    with AdvisoryService(("127.0.0.1", 0), Query) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def audit(url: str) -> tuple[int, str]:
    done = subprocess.run([ROOT / "scripts/audit", "--osv-url", url], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_versions_without_advisories_are_clean(service: AdvisoryService) -> None:
    service.vulnerable = frozenset({"jinja2"})
    status, text = audit(service.url)
    assert text.startswith("clean: ")
    assert status == 0


def test_an_advisory_against_a_locked_version_is_a_finding(service: AdvisoryService) -> None:
    service.vulnerable = frozenset({"jinja2", "urllib3"})
    status, text = audit(service.url)
    assert "PYSEC-2026-1 CVE-2026-1, mended in 9999" in text
    assert text.startswith("urllib3 ")
    assert status == 1


def test_a_service_that_knows_of_nothing_is_no_pass(service: AdvisoryService) -> None:
    status, text = audit(service.url)
    assert text.startswith("NOT AUDITED: ")
    assert status == 3


def test_a_service_that_cannot_be_reached_is_no_pass(service: AdvisoryService) -> None:
    service.server_close()
    status, text = audit(service.url)
    assert text.startswith("NOT AUDITED: ")
    assert status == 3
