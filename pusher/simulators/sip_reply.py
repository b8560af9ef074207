"""Which responses a user agent gives, and where they go (RFC 3261 8.2.6, 18.2; RFC 3581)."""

from pusher.simulators.sip_fields import Via, split_outside_quotes
from pusher.simulators.sip_message import Head, Headers, SIPRequest, SIPResponse

#: Host and port.
SocketAddress = tuple[str, int]

_REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    487: "Request Terminated",
    488: "Not Acceptable Here",
}


def reply(
    request: SIPRequest,
    head: Head,
    source: SocketAddress,
    status: int,
    *,
    tag: str,
    more: Headers = (),
    body: bytes = b"",
) -> SIPResponse:
    """Return the response with `status` to a request that came from `source`.

    `tag` goes into the To unless the request brought one; `more` headers come last.
    """
    recipient = request.only("To")
    if head.recipient.tag is None and status > 100:
        recipient += f";tag={tag}"
    topmost, *vias = request.values("Via")
    # Only what begins a dialog needs the way back (RFC 3261 12.1.1).
    routes = request.values("Record-Route") if request.method == "INVITE" and 100 < status < 300 else ()
    return SIPResponse(
        status=status,
        reason=_REASONS[status],
        headers=(
            ("Via", _seen_from(head.via, source, topmost)),
            *(("Via", via) for via in vias),
            *(("Record-Route", route) for route in routes),
            ("From", request.only("From")),
            ("To", recipient),
            ("Call-ID", head.call_id),
            ("CSeq", request.only("CSeq")),
            *more,
        ),
        body=body,
    )


def way_back(via: Via, source: SocketAddress) -> SocketAddress:
    """Return where the response to a request from `source` goes: to its port with `rport`, else to the Via's."""
    return source if _asks_for_port(via) else (source[0], via.port)


def _asks_for_port(via: Via) -> bool:
    return any(name == "rport" for name, _ in via.params)


def _seen_from(via: Via, source: SocketAddress, value: str) -> str:
    """Return the topmost Via with the address that the request came from, where its sender needs it."""
    host, port = source
    if _asks_for_port(via):
        parts = split_outside_quotes(value, ";")
        value = ";".join(f"rport={port}" if part.strip().lower() == "rport" else part for part in parts)
    return f"{value};received={host}" if _asks_for_port(via) or via.host != host else value
