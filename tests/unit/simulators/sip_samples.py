"""Requests as they reach a phone through two proxies, for the SIP tests."""

OFFER = (
    b"v=0\r\no=u 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 6000 RTP/AVP 101 8 0\r\na=rtpmap:101 telephone-event/8000\r\n"
)

#: Compact names, a folded header, several Via in a line, an escaped display name.
INVITE = (
    b"INVITE sip:2001@127.0.0.1:5070;transport=udp SIP/2.0\r\n"
    b"Record-Route: <sip:10.0.0.2;lr;ftag=a>, <sip:10.0.0.1;lr>\r\n"
    b"Record-Route: <sip:10.0.0.9;lr>\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.2:5080;branch=z9hG4bKtop;rport\r\n"
    b"v: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKmid , SIP/2.0/UDP 10.0.0.9:5066;branch=z9hG4bKlow;received=9.9.9.9\r\n"
    b"Max-Forwards: 68\r\n"
    b'f: "Bob \\"B\\" M\xc3\xbcller, \\\\ <x>" <sip:+15551230000@acme.example>\r\n'
    b" ;tag=from-tag\r\n"
    b"To: <sip:2001@acme.example>\r\n"
    b"i: call-1@10.0.0.9\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"m: <sip:bob@10.0.0.9>\r\n"
    b"c: application/sdp\r\n"
    b"l: %d\r\n"
    b"\r\n"
) % len(OFFER) + OFFER
