"""SIP messages over UDP: datagrams to values and back (RFC 3261 7, 18.3, 20, 25.1). No sockets and no state.

Bytes that are no UTF-8 survive parsing and formatting unchanged, as surrogates: a phone's Latin-1 comes back as it was.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pusher.errors import MessageInvalid
from pusher.simulators.sip_fields import Address, Via, parse_address, parse_via, split_outside_quotes

#: What the branch of every transaction begins with (RFC 3261 8.1.1.7).
MAGIC_COOKIE = "z9hG4bK"

Headers = tuple[tuple[str, str], ...]

#: One-letter names (RFC 3261 7.3.3) of the headers read here.
_COMPACT = {
    "c": "content-type",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "t": "to",
    "v": "via",
}
_TOKEN = r"[A-Za-z0-9.!%*_+`'~-]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([^\s]+) SIP/2\.0")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) (.*)")
_NAME = re.compile(rf"{_TOKEN}[ \t]*")
_LENGTH = re.compile(r"[0-9]{1,9}")
_CSEQ = re.compile(rf"([0-9]{{1,10}})[ \t]+({_TOKEN})")


@dataclass(frozen=True, slots=True, kw_only=True)
class SIPMessage:
    """What requests and responses have in common."""

    #: Names as sent, and values, in order. They may hold credentials and push tokens.
    headers: Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the value of every header line called `name`, full or compact, in any case."""
        return tuple(value for key, value in self.headers if _full_name(key) == name.lower())

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of `name`, those of one line taken apart at its commas."""
        found = [value.strip() for line in self.lines(name) for value in split_outside_quotes(line, ",")]
        return tuple(value for value in found if value)

    def only(self, name: str) -> str:
        """Return the value of `name`. Raises `MessageInvalid` unless it is there exactly once."""
        found = self.lines(name)
        if len(found) != 1 or not found[0]:
            raise MessageInvalid(name, "is missing" if not any(found) else "is there more than once")
        return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SIPRequest(SIPMessage):
    """A request."""

    method: str
    uri: str = field(repr=False)

    def encode(self) -> bytes:
        """Return the datagram; Content-Length is added."""
        return _encode(f"{self.method} {self.uri} SIP/2.0", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SIPResponse(SIPMessage):
    """A response."""

    status: int
    reason: str = ""

    def encode(self) -> bytes:
        """Return the datagram; Content-Length is added."""
        return _encode(f"SIP/2.0 {self.status} {self.reason}", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The headers that every message must have, understood."""

    via: Via
    sender: Address
    recipient: Address
    call_id: str
    cseq: int
    #: Method of the CSeq.
    method: str


def parse(datagram: bytes) -> SIPRequest | SIPResponse:
    """Return the message in `datagram`, its body cut to the Content-Length. Raises `MessageInvalid`."""
    # Empty lines before a message are to be ignored (RFC 3261 7.5).
    text, end, rest = datagram.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not end:
        raise MessageInvalid("SIP message", "has no empty line behind its headers")
    first, *lines = _unfolded(text.decode("utf-8", "surrogateescape"))
    headers = tuple(_header(line) for line in lines)
    body = _body(SIPMessage(headers=headers), rest)
    if status_line := _STATUS_LINE.fullmatch(first):
        return SIPResponse(status=int(status_line[1]), reason=status_line[2], headers=headers, body=body)
    if request_line := _REQUEST_LINE.fullmatch(first):
        return SIPRequest(method=request_line[1], uri=request_line[2], headers=headers, body=body)
    raise MessageInvalid("SIP message", "begins with neither a request line nor a status line")


def head(message: SIPRequest | SIPResponse) -> Head:
    """Return what identifies the message's transaction and dialog. Raises `MessageInvalid`."""
    vias = message.values("Via")
    if not vias:
        raise MessageInvalid("Via", "is missing")
    via = parse_via(vias[0])
    if not via.branch.startswith(MAGIC_COOKIE):
        raise MessageInvalid("Via", f"has a branch that does not begin with {MAGIC_COOKIE}")
    cseq = _CSEQ.fullmatch(message.only("CSeq"))
    if not cseq:
        raise MessageInvalid("CSeq", "is not a number and a method")
    if isinstance(message, SIPRequest) and cseq[2] != message.method:
        raise MessageInvalid("CSeq", "names another method than the request line")
    sender = parse_address("From", message.only("From"))
    if not sender.tag:
        raise MessageInvalid("From", "has no tag")
    return Head(
        via=via,
        sender=sender,
        recipient=parse_address("To", message.only("To")),
        call_id=message.only("Call-ID"),
        cseq=int(cseq[1]),
        method=cseq[2],
    )


def _full_name(name: str) -> str:
    return _COMPACT.get(name.lower(), name.lower())


def _unfolded(text: str) -> Iterable[str]:
    """Return the lines, continued ones in one. Raises `MessageInvalid`."""
    lines = re.sub(r"\r\n[ \t]+", " ", text).split("\r\n")
    if any(mark in text.replace("\r\n", "") for mark in "\r\n\0"):
        raise MessageInvalid("SIP message", "has a control character in its headers")
    return lines


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise MessageInvalid("SIP message", "has a header without a name")
    return name.rstrip(), value.strip(" \t")


def _body(message: SIPMessage, body: bytes) -> bytes:
    """Return as much of the rest of the datagram as the message claims (RFC 3261 18.3)."""
    if not message.lines("Content-Length"):
        return body
    length = _LENGTH.fullmatch(message.only("Content-Length"))
    if not length or int(length[0]) > len(body):
        raise MessageInvalid("Content-Length", "is not the number of bytes that are there")
    return body[: int(length[0])]


def _encode(first: str, message: SIPMessage) -> bytes:
    headers = [*message.headers, ("Content-Length", str(len(message.body)))]
    lines = [first, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + message.body
