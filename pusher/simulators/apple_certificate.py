"""What Apple writes into a push certificate: the topics and environments it is good for, and its bundle id.

Writing (for `authority.py`) and reading (for `apple_credentials.py`) stand on one page, which shows the form.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import NameOID

Environment = Literal["production", "development"]

#: Extension with the topics: SEQUENCE { UTF8String topic, SEQUENCE { UTF8String kind }, ... }.
TOPICS = x509.ObjectIdentifier("1.2.840.113635.100.6.3.6")
#: Extensions whose mere presence opens an environment; their value is an ASN.1 NULL.
ENVIRONMENTS: dict[Environment, x509.ObjectIdentifier] = {
    "development": x509.ObjectIdentifier("1.2.840.113635.100.6.3.1"),
    "production": x509.ObjectIdentifier("1.2.840.113635.100.6.3.2"),
}
_NULL = b"\x05\x00"
_SEQUENCE, _UTF8_STRING = 0x30, 0x0C


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateScope:
    """What a push certificate may be used for."""

    #: Topics it may push to; without the topics extension, the bundle id alone.
    topics: tuple[str, ...]
    environments: frozenset[Environment]


def scope_extensions(topics: Iterable[str], environments: Iterable[Environment]) -> list[x509.UnrecognizedExtension]:
    """Return the extensions of a certificate for `topics`, no topics extension where there are none."""
    extensions = [x509.UnrecognizedExtension(ENVIRONMENTS[name], _NULL) for name in environments]
    items = b"".join(
        _der(_UTF8_STRING, topic.encode()) + _der(_SEQUENCE, _der(_UTF8_STRING, _kind(topic).encode()))
        for topic in topics
    )
    if items:
        extensions.append(x509.UnrecognizedExtension(TOPICS, _der(_SEQUENCE, items)))
    return extensions


def read_scope(certificate: x509.Certificate) -> CertificateScope | None:
    """Return what `certificate` may be used for, None where Apple would not know it as a push certificate."""
    values = {
        extension.oid: extension.value.value
        for extension in certificate.extensions
        if isinstance(extension.value, x509.UnrecognizedExtension)
    }
    environments = frozenset(name for name, oid in ENVIRONMENTS.items() if oid in values)
    user_ids = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.USER_ID)]
    topics = tuple(_topics(values[TOPICS])) if TOPICS in values else tuple(user_ids[:1])
    if not environments or not topics:
        return None
    return CertificateScope(topics=topics, environments=environments)


def _kind(topic: str) -> str:
    suffix = topic.rpartition(".")[2]
    return suffix if suffix in {"voip", "complication"} else "app"


def _topics(extension: bytes) -> Iterator[str]:
    """Yield the strings directly inside the outer sequence; the kinds lie one sequence deeper."""
    for _, content in _items(extension):
        for tag, value in _items(content):
            if tag == _UTF8_STRING:
                yield value.decode()


def _der(tag: int, content: bytes) -> bytes:
    """Return one DER item; lengths above 127 take the long form (X.690 8.1.3)."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of the DER items that lie side by side in `data`."""
    at = 0
    while at < len(data):
        tag, length, start = data[at], data[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[at + 2 : start], "big")
        yield tag, data[start : start + length]
        at = start + length
