"""What a peer may send us: announced in SETTINGS where HTTP/2 has a word for it, held to in any case."""

#: Provider answers are a few hundred bytes of JSON; what is longer is a stream error.
MAX_BODY_BYTES = 65_536
#: Names, values and 32 bytes each, as SETTINGS_MAX_HEADER_LIST_SIZE counts them (RFC 9113 6.5.2).
MAX_HEADER_BYTES = 16_384
#: A header block as it arrives, frame headers included. Huffman coding can make a field four times as long as it is;
#: no more than that is kept of a block whose CONTINUATION frames have no end.
MAX_BLOCK_BYTES = 4 * MAX_HEADER_BYTES
#: Header lists between this and `MAX_HEADER_BYTES` cost their stream. Longer ones are not decoded to their end, which
#: costs the connection: HPACK's table is lost with them.
MAX_DECODED_BYTES = 4 * MAX_HEADER_BYTES
#: SETTINGS_MAX_FRAME_SIZE, the default (RFC 9113 6.5.2).
MAX_FRAME_BYTES = 16_384
#: More than a body may have, so that no stream ever waits for a WINDOW_UPDATE of ours.
STREAM_WINDOW = 2 * MAX_BODY_BYTES
#: What the connection's window begins with (RFC 9113 6.9.2), and what we add to it at once.
FIRST_WINDOW = 65_535
MORE_WINDOW = 2**24
