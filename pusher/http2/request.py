"""One HTTP/2 request and its response, as providers build and read them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A POST. Names are lower case; the pseudo headers, content-length and content-type are made by the connection."""

    #: Path and query; may hold a token, so it is kept out of reprs and out of HPACK's table.
    path: str = field(repr=False)
    #: More header fields, `authorization` among them; that one is never indexed either (RFC 7541 7.1.3).
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    #: A JSON document.
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete response."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Return the first value of lower-case `name`, None where there is none."""
        return next((value for key, value in self.headers if key == name), None)
