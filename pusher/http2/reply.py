"""A response as it arrives: what is malformed (RFC 9113 8.1.1) or too long is told from what is complete."""

import re
from collections.abc import Sequence

from h2.errors import ErrorCodes

from pusher.http2.announced import MAX_BODY_BYTES, MAX_HEADER_BYTES, STREAM_WINDOW
from pusher.http2.header_blocks import HeaderBlock
from pusher.http2.request import Response

#: What a field counts beyond its name and value, as in SETTINGS_MAX_HEADER_LIST_SIZE.
_FIELD_BYTES = 32
_STATUS = re.compile(rb"[1-9][0-9][0-9]")
#: RFC 9113 8.2.1: printable ASCII without upper case and colon; anything without NUL, CR, LF and outer white space.
_NAME = re.compile(rb"[!-9;-@\[-~]+")
_VALUE = re.compile(rb"(?![ \t])[^\0\r\n]*(?<![ \t])")
#: RFC 9113 8.2.2.
_CONNECTION_FIELDS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_LENGTH = re.compile(r"[0-9]{1,18}")
#: These have no body, whatever their content-length says (RFC 9113 8.1.1).
_WITHOUT_BODY = frozenset({204, 304})


class StreamError(Exception):
    """The peer spoilt one stream (RFC 9113 5.4.2); the text says what it sent."""

    def __init__(self, code: ErrorCodes, what: str) -> None:
        super().__init__(what)
        #: What our RST_STREAM says.
        self.code = code


class Reply:
    """The response to one request, as far as it is there. All methods raise `StreamError`."""

    __slots__ = ("_body", "_header_bytes", "_headers", "_status", "_window")

    def __init__(self) -> None:
        #: 0 before the headers of the final response.
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._header_bytes = 0
        self._body = bytearray()
        self._window = STREAM_WINDOW

    def take_block(self, block: HeaderBlock) -> None:
        """Take headers, which may be those of an informational response, or trailers, whose fields nobody reads."""
        self._header_bytes += sum(len(name) + len(value) + _FIELD_BYTES for name, value in block.fields)
        if self._header_bytes > MAX_HEADER_BYTES:
            raise StreamError(ErrorCodes.ENHANCE_YOUR_CALM, "response headers that are too long")
        status, headers = _read(block.fields)
        if self._status:
            if status is not None or not block.ends:
                raise _malformed("headers after the headers")
        elif status is None or not _STATUS.fullmatch(status):
            raise _malformed("a response without a proper status")
        elif status[0] != ord("1"):
            self._status, self._headers = int(status), headers
        elif block.ends:
            raise _malformed("nothing but an informational response")

    def take_data(self, data: bytes, flow_controlled: int) -> None:
        """Take a piece of the body that spent so much of the stream's window."""
        if not self._status:
            raise _malformed("a body without headers")
        self._window -= flow_controlled
        if self._window < 0:
            raise StreamError(ErrorCodes.FLOW_CONTROL_ERROR, "more than its window holds")
        self._body += data
        if len(self._body) > MAX_BODY_BYTES:
            raise StreamError(ErrorCodes.ENHANCE_YOUR_CALM, "a response body that is too long")

    def complete(self) -> Response:
        """Return the response, of which the last was taken."""
        lengths = {value for name, value in self._headers if name == "content-length"}
        if lengths and not self._is_length(lengths):
            raise _malformed("a body of another length than its content-length")
        return Response(status=self._status, headers=self._headers, body=bytes(self._body))

    def _is_length(self, lengths: set[str]) -> bool:
        if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
            return False
        return int(lengths.pop()) == len(self._body) or (self._status in _WITHOUT_BODY and not self._body)


def _read(fields: Sequence[tuple[bytes, bytes]]) -> tuple[bytes | None, tuple[tuple[str, str], ...]]:
    """Return the value of `:status`, None where there is none, and the other fields."""
    status: bytes | None = None
    headers: list[tuple[str, str]] = []
    for name, value in fields:
        if name == b":status":
            if status is not None or headers:
                raise _malformed("a status at the wrong place")
            status = value
            continue
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name in _CONNECTION_FIELDS:
            raise _malformed("a header that is none")
        # Bytes beyond ASCII in some header must not cost the response.
        headers.append((name.decode(), value.decode("utf-8", "replace")))
    return status, tuple(headers)


def _malformed(what: str) -> StreamError:
    return StreamError(ErrorCodes.PROTOCOL_ERROR, what)
