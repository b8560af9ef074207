"""Documents in CouchDB, where Kazoo keeps them (facts: kazoo.md 5): what a document is and what an answer means.

Revisions travel in documents, never in headers.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn, Self
from urllib.parse import SplitResult, quote, unquote, urlsplit

import requests
from requests.auth import HTTPBasicAuth

from pusher import trust
from pusher.documents.http_server import Answer, HTTPServer
from pusher.errors import DocumentConflict, DocumentMissing, DocumentsUnavailable, SettingsInvalid
from pusher.ports import Saved

#: As CouchDB wants one to be, or it answers 400.
_REV = re.compile(r"\d+-\w+", re.ASCII)


class CouchDBDocuments:
    """Implements `ports.Documents`. Safe for threads and for processes."""

    creates_devices = False

    def __init__(self, base_url: str, session: requests.Session, *, name: str = "PUSHER_DOCUMENTS_URL") -> None:
        """`base_url` ends without a slash and names no user; `name` is the setting that operators can correct."""
        self._base_url = base_url
        self._setting = name
        self._server = HTTPServer(f"CouchDB at {urlsplit(base_url).netloc}", session)

    @classmethod
    def from_url(cls, url: str, *, ca_file: str | None, name: str = "PUSHER_DOCUMENTS_URL") -> Self:
        """Return the store at `http(s)://user:password@host:port/prefix`, all but scheme and host optional.

        Raises `SettingsInvalid` for setting `name`, or for PUSHER_CA_FILE.
        """
        parts = _split(url, name)
        session = trust.session(ca_file, None)
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            # As bytes, which requests sends as they are: texts it would write in Latin-1.
            session.auth = HTTPBasicAuth(user.encode(), password.encode())
        base_url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        try:
            requests.Request("GET", base_url).prepare()
        except (requests.RequestException, ValueError) as error:
            raise SettingsInvalid(name, "is not a URL") from error
        return cls(base_url, session, name=name)

    def read(self, database: str, doc_id: str) -> dict[str, Any]:
        """Return the document with `_id` and `_rev`. Raises `DocumentMissing`, `DocumentsUnavailable`."""
        answer = self._server.ask("GET", self._url(database, doc_id))
        if answer.status != 200:
            self._refuse(answer, f"{database}/{doc_id}", "read")
        document = self._object(answer)
        if document.get("_id") != doc_id or not isinstance(document.get("_rev"), str):
            raise DocumentsUnavailable(f"{self._server.name} answers with something else than the document")
        return document

    def save(self, database: str, document: Mapping[str, Any]) -> Saved:
        """Save; `_rev` must be the one read, absent for a new document.

        Raises `DocumentConflict`, `DocumentMissing` where there is no such database, `DocumentsUnavailable`.
        """
        doc_id, rev = document["_id"], document.get("_rev")
        if rev is not None and not _REV.fullmatch(rev):
            raise DocumentConflict(f"{database}/{doc_id} has another revision")
        try:
            # ASCII, so that half a surrogate pair from a phone travels as its escape.
            body = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
        except ValueError as error:
            raise DocumentsUnavailable(f"{database}/{doc_id} cannot be written as JSON") from error
        answer = self._server.ask("PUT", self._url(database, doc_id), body)
        # 202: written, by fewer nodes of the cluster than was asked for.
        if answer.status not in (201, 202):
            self._refuse(answer, f"{database}/{doc_id}", "write")
        new_rev = self._object(answer).get("rev")
        if not isinstance(new_rev, str):
            raise DocumentsUnavailable(f"{self._server.name} does not tell the revision of what it saved")
        return Saved(rev=new_rev, created=rev is None)

    def close(self) -> None:
        """Close the connections; the next use makes new ones."""
        self._server.close()

    def _url(self, database: str, doc_id: str) -> str:
        return f"{self._base_url}/{quote(database, safe='')}/{quote(doc_id, safe='')}"

    def _refuse(self, answer: Answer, what: str, verb: str) -> NoReturn:
        server = self._server.name
        match answer.status:
            case 404 if self._object(answer).get("error") == "not_found":
                raise DocumentMissing(f"{what} does not exist")
            case 409:
                raise DocumentConflict(f"{what} has another revision")
            case 401:
                raise DocumentsUnavailable(f"{server} does not accept the user and password in {self._setting}")
            case 403:
                raise DocumentsUnavailable(
                    f"{server} does not let the user in {self._setting} {verb} {what}: "
                    "make it a member of that database, or an administrator"
                )
            case status:
                raise DocumentsUnavailable(f"{server} answers {status} to a request to {verb} {what}")

    def _object(self, answer: Answer) -> dict[str, Any]:
        try:
            value = json.loads(answer.body.decode(), parse_float=_float, parse_constant=_float)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            # Such as the page of a reverse proxy, and that is no word on whether a document exists.
            raise DocumentsUnavailable(
                f"{self._server.name} answers {answer.status} without a JSON object: does {self._setting} name CouchDB?"
            )
        return value


def _split(url: str, name: str) -> SplitResult:
    """Return the parts of `url`. Raises `SettingsInvalid`, which never quotes it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        # No resolver could be asked for names such as `a..b`.
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise SettingsInvalid(name, "is not a URL") from error
    if not usable:
        raise SettingsInvalid(name, "must be http://user:password@host:5984 or https://user:password@host:6984")
    if parts.query or parts.fragment:
        raise SettingsInvalid(name, "takes no options: in a password, ? is written %3F and # is written %23")
    return parts


def _float(digits: str) -> float:
    """Return a finite float; NaN and 1e999 could not be written back."""
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("is no number that JSON knows")
    return value
