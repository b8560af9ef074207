"""A token server without a network: an adapter that `requests` sends to."""

import json
import time
from typing import Any
from urllib.parse import parse_qs

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse


class CannedTokenServer(BaseAdapter):
    """Answers grant requests from a script, the last line for ever."""

    def __init__(self, *script: tuple[int, Any] | Exception) -> None:
        super().__init__()
        self.pause_s = 0.0
        self.script = list(script) or [(200, {"access_token": "granted", "expires_in": 3599})]
        self.grants: list[dict[str, list[str]]] = []
        self.urls: list[str] = []
        self.timeouts: list[float] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        line = self.script[min(len(self.grants), len(self.script) - 1)]
        assert isinstance(request.body, bytes)
        self.grants.append(parse_qs(request.body.decode()))
        self.urls.append(str(request.url))
        self.timeouts.append(options["timeout"])
        if isinstance(line, Exception):
            raise line
        status, body = line
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = requests.Response()
        response.status_code = status
        response.url = str(request.url)
        response.request = request
        response.raw = HTTPResponse(body=_Reader(content, self.pause_s), status=status, preload_content=False)
        return response

    def close(self) -> None:
        """There is nothing to close."""


class _Reader:
    """The file that urllib3 reads a body from, a moment for each read."""

    def __init__(self, content: bytes, pause_s: float) -> None:
        self._content = content
        self._pause_s = pause_s
        self.closed = False

    def read(self, size: int | None = None) -> bytes:
        time.sleep(self._pause_s)
        size = len(self._content) if size is None or size < 0 else size
        taken, self._content = self._content[:size], self._content[size:]
        return taken

    def close(self) -> None:
        self.closed = True


def session_with(server: CannedTokenServer) -> requests.Session:
    """Return a session all of whose requests go to `server`."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", server)
    return session
