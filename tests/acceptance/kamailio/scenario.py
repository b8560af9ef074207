"""What FreeSWITCH sends and expects, as scenarios for sipp."""

_INVITE = """
    INVITE sip:[aor] SIP/2.0
    Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-1;rport
    Max-Forwards: 70
    From: [caller] <[caller_uri]>;tag=[pid]
    To: <sip:[aor]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:freeswitch@[local_ip]:[local_port]>
    X-KAZOO-AOR: sip:[aor]
    X-KAZOO-PUSHER-Token-ID: [token_id]
    X-KAZOO-PUSHER-Token-Type: [token_type]
    X-KAZOO-PUSHER-Token-App: [token_app]
    X-Lab-Wake-Window-Ms: [wake_window_ms]
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=freeswitch 1 1 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 0
    a=rtpmap:0 PCMU/8000
"""

#: Final responses that mean no.
_NO = (404, 408, 480, 486, 487, 488, 500, 503)


def _send(message: str, *, again: bool = True) -> str:
    retransmitted = ' retrans="500"' if again else ""
    return f"<send{retransmitted}><![CDATA[{message}\n]]></send>"


def _request(method: str, *, cseq: int, branch: int, uri: str = "sip:[aor]", to: str = "[last_To:]") -> str:
    return f"""
    {method} {uri} SIP/2.0
    Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-{branch};rport
    Max-Forwards: 70
    {"[routes]" if uri == "[next_url]" else "X-Lab: 1"}
    From: [caller] <[caller_uri]>;tag=[pid]
    {to}
    Call-ID: [call_id]
    CSeq: {cseq} {method}
    Content-Length: 0
"""


def _scenario(*steps: str) -> str:
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', '<scenario name="FreeSWITCH">', *steps, "</scenario>\n"]
    )


_INVITED = _send(_INVITE)
#: The ACK to a final response that means no belongs to the INVITE's transaction (RFC 3261 17.1.1.3).
_NO_ACKNOWLEDGED = _send(_request("ACK", cseq=1, branch=1), again=False)

#: It talks for a while when it is answered, and takes no for an answer.
TALKS = _scenario(
    _INVITED,
    *(f'<recv response="{status}" optional="true"/>' for status in (100, 180, 183)),
    *(f'<recv response="{status}" optional="true" next="no"/>' for status in _NO),
    '<recv response="200" rrs="true"/>',
    _send(_request("ACK", cseq=1, branch=2, uri="[next_url]"), again=False),
    "<pause/>",
    _send(_request("BYE", cseq=2, branch=3, uri="[next_url]")),
    '<recv response="200" next="over"/>',
    '<label id="no"/>',
    _NO_ACKNOWLEDGED,
    '<label id="over"/>',
)


def _hangs_up(*until: str) -> str:
    """It cancels; Kamailio answers INVITE and CANCEL in either order."""
    return _scenario(
        _INVITED,
        '<recv response="100"/>',
        *until,
        _send(_request("CANCEL", cseq=1, branch=1, to="To: <sip:[aor]>")),
        '<recv response="487" optional="true" next="ended-first"/>',
        '<recv response="200"/>',
        '<recv response="487"/>',
        _NO_ACKNOWLEDGED,
        '<nop next="over"/>',
        '<label id="ended-first"/>',
        _NO_ACKNOWLEDGED,
        '<recv response="200"/>',
        '<label id="over"/>',
    )


#: It hangs up after a while in which it heard nothing.
HANGS_UP = _hangs_up("<pause/>")
#: It hangs up a while after the phone has begun to ring.
HANGS_UP_ON_RINGING = _hangs_up('<recv response="180"/>', "<pause/>")
