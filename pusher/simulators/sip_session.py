"""The phone's side of a session description: G.711, and nobody listens (RFC 3264, RFC 4566)."""

import re

_MEDIA = re.compile(r"m=([a-z]+) [0-9/]+ (\S+) (.+)")
#: Payload types of PCMU and PCMA, which need no further words (RFC 3551).
_KNOWN = ("0", "8")


def session_answer(offer: bytes, host: str) -> bytes | None:
    """Return the answer to `offer`, an offer of our own where it is empty, None where no codec is common.

    Every media of the offer has its line in the answer; all but the first audio are refused by port 0.
    """
    lines: list[str] = [] if offer else ["m=audio 9 RTP/AVP 0 8"]
    accepted = not offer
    for media, transport, formats in _MEDIA.findall(offer.decode("utf-8", "replace")):
        common = [name for name in formats.split() if name in _KNOWN]
        takes = media == "audio" and transport == "RTP/AVP" and bool(common) and not accepted
        lines.append(f"m=audio 9 RTP/AVP {common[0]}" if takes else f"m={media} 0 {transport} {formats.strip()}")
        accepted = accepted or takes
    if not accepted:
        return None
    # Port 9 discards: no media is heard or said, so nothing listens to any port.
    head = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return "\r\n".join([*head, *lines, ""]).encode()
