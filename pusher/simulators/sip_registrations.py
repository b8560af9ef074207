"""What the handset says to its registrar, without the socket (RFC 3261 10.2, 22; RFC 8599 for the wake-up)."""

import itertools
import secrets

from pusher.errors import MessageInvalid
from pusher.simulators.phone import USER_AGENT
from pusher.simulators.sip_digest import digest_answer, is_stale
from pusher.simulators.sip_fields import parse_address
from pusher.simulators.sip_message import MAGIC_COOKIE, Head, SIPRequest, SIPResponse
from pusher.simulators.sip_reply import SocketAddress

#: Where the challenge is and where the credentials go, by status.
_CHALLENGES = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


class SIPRegistrations:
    """The REGISTER requests of one phone: one Call-ID, rising CSeq. For one thread at a time."""

    def __init__(self, *, user: str, realm: str, password: str, address: SocketAddress) -> None:
        self._user = user
        self._password = password
        self._registrar = f"sip:{realm}"
        self._aor = f"sip:{user}@{realm}"
        self._host_port = f"{address[0]}:{address[1]}"
        self._call_id = f"{secrets.token_hex(16)}@phone"
        self._tag = secrets.token_hex(8)
        self._cseq = itertools.count(1)

    def request(
        self, contact: str, *, expires_s: int, registration_token: str | None, credentials: dict[str, str]
    ) -> SIPRequest:
        """Return the next REGISTER; `credentials` are headers."""
        let_in_by = [("X-Token-Reg", registration_token)] if registration_token else []
        branch = MAGIC_COOKIE + secrets.token_hex(12)
        return SIPRequest(
            method="REGISTER",
            uri=self._registrar,
            headers=(
                ("Via", f"SIP/2.0/UDP {self._host_port};branch={branch};rport"),
                ("Max-Forwards", "70"),
                ("From", f"<{self._aor}>;tag={self._tag}"),
                ("To", f"<{self._aor}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{next(self._cseq)} REGISTER"),
                ("Contact", contact),
                ("Expires", str(expires_s)),
                ("Supported", "path"),
                ("User-Agent", USER_AGENT),
                *let_in_by,
                *credentials.items(),
            ),
        )

    def answer_challenge(self, response: SIPResponse, credentials: dict[str, str]) -> bool:
        """Add to `credentials` what `response` asks for; tell whether asking again may help.

        Raises `MessageInvalid` for a challenge that is not understood.
        """
        if response.status not in _CHALLENGES:
            return False
        asked, answered = _CHALLENGES[response.status]
        challenges = response.lines(asked)
        if answered in credentials and not is_stale(challenges):
            return False
        credentials[answered] = digest_answer(
            challenges, method="REGISTER", uri=self._registrar, user=self._user, password=self._password
        )
        return True

    def check(self, response: SIPResponse, *, expires_s: int) -> None:
        """Raise `MessageInvalid` for a success that does not tell the binding as it now is (RFC 3261 10.3, step 8)."""
        if response.status != 200:
            return
        mine = f"sip:{self._user}@{self._host_port}"
        uris = [parse_address("Contact", value).uri.partition(";")[0] for value in response.values("Contact")]
        if (mine in uris) != (expires_s > 0):
            raise MessageInvalid("Contact", f"of the registrar's 200 has {uris.count(mine)} of this phone")


def belongs(response: Head, request: Head) -> bool:
    """Tell whether the response repeats what it must of the request (RFC 3261 8.2.6.2, 17.1.3)."""
    return (response.via.host, response.via.port, response.via.branch) == (
        request.via.host,
        request.via.port,
        request.via.branch,
    ) and (response.call_id, response.cseq, response.method, response.sender.tag) == (
        request.call_id,
        request.cseq,
        request.method,
        request.sender.tag,
    )
