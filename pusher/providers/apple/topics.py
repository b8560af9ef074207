"""Which topics an Apple push certificate is for: Apple's certificate extension, read with a few lines of DER.

The extension holds SEQUENCE { UTF8String topic, SEQUENCE { UTF8String kind }, ... } (facts: providers.md 1).
"""

_SEQUENCE = 0x30
_UTF8_STRING = 0x0C


def read_topics(der: bytes) -> tuple[str, ...]:
    """Return the topics in the extension's value, in order; none where the bytes are anything else."""
    try:
        tag, content, _ = _element(der)
        if tag != _SEQUENCE:
            return ()
        topics = []
        while content:
            tag, value, content = _element(content)
            if tag == _UTF8_STRING:
                topics.append(value.decode("utf-8"))
    except ValueError:
        return ()
    # Topics are shown on terminals and compared with settings: one that cannot be printed is an attack.
    return tuple(dict.fromkeys(topic for topic in topics if topic and topic.isprintable()))


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag, content and the bytes after the first element of `data`. Raises `ValueError`."""
    if len(data) < 2:
        raise ValueError("cut short")
    length, start = data[1], 2
    if length >= 0x80:
        # The long form: the low bits count the bytes of the length.
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    if end > len(data):
        raise ValueError("cut short")
    return data[0], data[start:end], data[end:]
