"""DER of Apple's topic extension, written by hand."""


def element(tag: int, content: bytes) -> bytes:
    """Return one element."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def text(value: str) -> bytes:
    """Return a UTF8String."""
    return element(0x0C, value.encode())


def sequence(*elements: bytes) -> bytes:
    """Return a SEQUENCE."""
    return element(0x30, b"".join(elements))


def topics_extension(*topics: str) -> bytes:
    """Return the extension's value: each topic is followed by its kinds."""
    return sequence(*(part for topic in topics for part in (text(topic), sequence(text("app")))))
