"""The header fields of a request, and how HPACK (RFC 7541) puts them on the wire.

Secrets are never indexed: the table outlives the request (RFC 7541 7.1.3). Neither is what changes with every
push: it would fill the table at the expense of the stable fields that indexing pays for.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from pusher.errors import NotProcessed
from pusher.http2.request import Request

#: Name and value.
Field = tuple[str, str]

_NEVER_INDEXED = frozenset(
    {
        ":path",
        "authorization",
        "apns-id",
        "apns-expiration",
        "apns-collapse-id",
        "content-length",
    }
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

#: Entries of the static table (RFC 7541 Appendix A): whole fields as they are sent, and names.
_STATIC_FIELDS = {(":method", "POST"): b"\x83", (":scheme", "https"): b"\x87"}
_STATIC_NAMES = {
    ":authority": 1,
    ":method": 2,
    ":path": 4,
    ":scheme": 6,
    "authorization": 23,
    "content-length": 28,
    "content-type": 31,
    "user-agent": 58,
}
_STATIC_ENTRIES = 61
#: The table's size before anybody says otherwise (RFC 9113 6.5.2). A larger one would hold no more of use to us.
_DEFAULT_SIZE = 4096
#: What an entry counts beyond its name and value (RFC 7541 4.1).
_ENTRY_BYTES = 32

#: How a representation begins, and how many bits of that byte its number has (RFC 7541 6).
_INDEXED = (0x80, 7)
_WITH_INDEXING = (0x40, 6)
_SIZE_UPDATE = (0x20, 5)
_NEVER = (0x10, 4)
_WITHOUT_INDEXING = (0x00, 4)


def request_fields(authority: str, request: Request) -> list[Field]:
    """Return the fields of a POST in the order they are sent.

    Raises `NotProcessed` for a field that no peer would take, since one malformed field may cost the
    connection and all requests on it (RFC 9113 8.2.1).
    """
    fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", authority),
        (":path", request.path),
        ("content-type", "application/json"),
        ("content-length", str(len(request.body))),
        *request.headers,
    ]
    for name, value in fields:
        if not value.isprintable() or value != value.strip():
            raise NotProcessed(f"the value of header {name} cannot be sent")
    for name, _ in request.headers:
        if not _is_name(name):
            raise NotProcessed(f"a header of the name {name!r} cannot be sent")
    return fields


class FieldEncoder:
    """Makes the header blocks of one connection; each must be sent, in the order they were made.

    No Huffman coding: in Python it takes longer than all the rest, to save a hundred bytes. The table only grows.
    What does not fit any more is sent without being indexed, so nothing is ever evicted, and the position of an
    entry follows from how many came after it.
    """

    def __init__(self) -> None:
        self._size = _DEFAULT_SIZE
        self._room = _DEFAULT_SIZE
        self._resized = False
        #: The table, oldest entry first, and what to send instead of a field that is in this or the static one.
        self._entries: list[Field] = []
        self._indexed = dict(_STATIC_FIELDS)

    @property
    def header_table_size(self) -> int:
        """Return the size in use: what the peer allows, but never more than the default. h2 sets it."""
        return self._size

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        size = min(value, _DEFAULT_SIZE)
        if size != self._size:
            self._size = self._room = size
            self._resized = True
            self._entries = []
            self._indexed = dict(_STATIC_FIELDS)

    def encode(self, fields: Sequence[Field]) -> bytes:
        """Return the header block of checked `fields`."""
        block = bytearray()
        if self._resized:
            # Size 0 empties the peer's table as it did ours, and is the smallest that there can have been since the
            # last block: that one must be told (RFC 7541 4.2).
            block += _number(_SIZE_UPDATE, 0) + (_number(_SIZE_UPDATE, self._size) if self._size else b"")
            self._resized = False
        for field in fields:
            if field[0] in _NEVER_INDEXED:
                block += _literal(_NEVER, field)
            else:
                block += self._indexed.get(field) or self._not_indexed(field)
        return bytes(block)

    def _not_indexed(self, field: Field) -> bytes:
        size = len(field[0].encode()) + len(field[1].encode()) + _ENTRY_BYTES
        if size > self._room:
            return _literal(_WITHOUT_INDEXING, field)
        self._room -= size
        self._entries.append(field)
        # The newest entry is the first after the static ones; it moves all others on.
        for place, entry in enumerate(reversed(self._entries), _STATIC_ENTRIES + 1):
            self._indexed[entry] = _number(_INDEXED, place)
        return _literal(_WITH_INDEXING, field)


@lru_cache(maxsize=256)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _literal(kind: tuple[int, int], field: Field) -> bytes:
    return _literal_name(kind, field[0]) + _string(field[1])


@lru_cache(maxsize=256)
def _literal_name(kind: tuple[int, int], name: str) -> bytes:
    index = _STATIC_NAMES.get(name, 0)
    return _number(kind, index) if index else _number(kind, 0) + _string(name)


def _string(text: str) -> bytes:
    """Return a string literal (RFC 7541 5.2)."""
    data = text.encode()
    return _number((0x00, 7), len(data)) + data


@lru_cache(maxsize=512)
def _number(kind: tuple[int, int], number: int) -> bytes:
    """Return the first byte of `kind` with `number` in its low bits, and what of it does not fit (RFC 7541 5.1)."""
    pattern, bits = kind
    most = (1 << bits) - 1
    if number < most:
        return bytes((pattern | number,))
    encoded = bytearray((pattern | most,))
    number -= most
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
