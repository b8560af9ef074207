"""How the handset answers calls: the user agent server of RFC 3261 without its socket (8.2, 9.2, 12, 13.3, 15, 17.2).

Datagrams go out through the `send` that it is given; time comes from the `now` that it is given.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pusher.simulators.sip_message import Head, Headers, SIPRequest, head
from pusher.simulators.sip_reply import SocketAddress, reply, way_back
from pusher.simulators.sip_session import session_answer

#: Seconds: first and longest pause between retransmissions, and when to give up (RFC 3261 17.2.1).
T1_S, T2_S, GIVE_UP_S = 0.5, 4.0, 32.0

_ALLOW = ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS")

Send = Callable[[bytes, SocketAddress], None]


@dataclass(eq=False, kw_only=True)
class SIPCall:
    """A call that reached the phone; times are `time.monotonic()` seconds."""

    call_id: str
    #: Display name of the caller, empty where there is none.
    caller: str
    invited_at: float
    #: Lower-case names of the headers of its INVITE.
    headers: frozenset[str] = frozenset()
    answered_at: float | None = None
    #: How the caller ended it.
    ended: Literal["bye", "cancel"] | None = None


@dataclass(eq=False, kw_only=True)
class _Transaction:
    request: SIPRequest
    head: Head
    source: SocketAddress
    #: Ours in the To.
    tag: str
    #: What the INVITE began; None for any other request.
    call: SIPCall | None = None
    #: Of the last response, which answers every retransmission of the request.
    status: int = 0
    response: bytes = b""
    #: When a final response to an INVITE goes out again; None once it is acknowledged.
    resend_at: float | None = None
    pause_s: float = T1_S
    give_up_at: float = 0.0


class SIPCalls:
    """Every call of one phone. It forgets nothing, as it lives no longer than a test or a demo. For one thread."""

    def __init__(
        self, *, user: str, address: SocketAddress, answers: bool, send: Send, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.calls: list[SIPCall] = []
        #: Call-IDs of the calls that came while the phone slept.
        self.missed: list[str] = []
        #: What the proxy should not have sent, a sentence each.
        self.violations: list[str] = []
        self.answers = answers
        self.asleep = False
        self._uri = f"sip:{user}@{address[0]}:{address[1]}"
        self._host = address[0]
        self._send = send
        self._now = now
        self._transactions: dict[tuple[str, int, str, str], _Transaction] = {}
        #: The INVITE that began it, by Call-ID, our tag and the caller's.
        self._dialogs: dict[tuple[str, str | None, str | None], _Transaction] = {}

    def sleep(self) -> None:
        """Hear and say nothing until `asleep` is taken back."""
        self.asleep = True
        for transaction in self._transactions.values():
            transaction.resend_at = None

    def receive(self, request: SIPRequest, source: SocketAddress) -> None:
        """Do what a request from `source` asks for. Raises `MessageInvalid`."""
        told = head(request)
        if self.asleep:
            if request.method == "INVITE" and told.call_id not in self.missed:
                self.missed.append(told.call_id)
            return
        if request.method == "ACK":
            self._acknowledged(told)
            return
        key = (told.via.host, told.via.port, told.via.branch, request.method)
        if known := self._transactions.get(key):
            self._send(known.response, way_back(told.via, source))
            return
        tag = told.recipient.tag or secrets.token_hex(8)
        transaction = _Transaction(request=request, head=told, source=source, tag=tag)
        self._transactions[key] = transaction
        match request.method:
            case "INVITE":
                self._invited(transaction)
            case "CANCEL":
                self._cancelled(transaction)
            case "BYE":
                self._hung_up(transaction)
            case "OPTIONS":
                self._respond(transaction, 200, (_ALLOW, ("Accept", "application/sdp")))
            case _:
                self._refuse(transaction, 405, "is nothing that it knows")

    def resend_due(self) -> float | None:
        """Send again what is due, and return the seconds until more is; None when nothing waits for an ACK."""
        waiting = []
        for transaction in self._transactions.values():
            if transaction.resend_at is not None and transaction.resend_at <= self._now():
                self._resend(transaction)
            if transaction.resend_at is not None:
                waiting.append(transaction.resend_at)
        return max(0.0, min(waiting) - self._now()) if waiting else None

    def _resend(self, transaction: _Transaction) -> None:
        now = self._now()
        if now >= transaction.give_up_at:
            transaction.resend_at = None
            self._note(transaction, f"got a {transaction.status} and nobody acknowledged it")
            return
        transaction.pause_s = min(2 * transaction.pause_s, T2_S)
        transaction.resend_at = now + transaction.pause_s
        self._send(transaction.response, way_back(transaction.head.via, transaction.source))

    def _invited(self, invite: _Transaction) -> None:
        told, request = invite.head, invite.request
        body = session_answer(request.body, self._host)
        sdp = (_ALLOW, ("Contact", f"<{self._uri};transport=udp>"), ("Content-Type", "application/sdp"))
        if refusal := self._why_not(invite) or (None if body else (488, "offers no codec that it has")):
            self._refuse(invite, *refusal)
            return
        if told.recipient.tag is not None:
            self._respond(invite, 200, sdp, body or b"")
            return
        # A name that is no UTF-8 is shown as well as can be, like on a phone's screen.
        caller = told.sender.display.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        now = self._now()
        call = SIPCall(
            call_id=told.call_id,
            caller=caller,
            invited_at=now,
            headers=frozenset(name.lower() for name, _ in invite.request.headers),
            answered_at=now if self.answers else None,
        )
        invite.call = call
        self._dialogs[told.call_id, invite.tag, told.sender.tag] = invite
        # Noted before it is said: who waits for the 200 may look at once.
        self.calls.append(call)
        self._respond(invite, 100)
        self._respond(invite, 180, sdp[:2])
        if self.answers:
            self._respond(invite, 200, sdp, body or b"")

    def _why_not(self, invite: _Transaction) -> tuple[int, str] | None:
        """Return the status that refuses the INVITE and why, None for one that may pass."""
        told, request = invite.head, invite.request
        if request.uri.partition(";")[0] != self._uri:
            return 404, "is for another address than its Contact"
        kinds = [kind.partition(";")[0].strip().lower() for kind in request.lines("Content-Type")]
        if request.body and kinds != ["application/sdp"]:
            return 415, "brings something else than a session description"
        if told.recipient.tag is not None:
            return None if self._dialog(told) else (481, "belongs to no call")
        same = (told.call_id, told.sender.tag, told.cseq)
        if any((one.head.call_id, one.head.sender.tag, one.head.cseq) == same for one in self._dialogs.values()):
            return 482, "came twice, on two branches"
        return None

    def _cancelled(self, cancel: _Transaction) -> None:
        via = cancel.head.via
        invite = self._transactions.get((via.host, via.port, via.branch, "INVITE"))
        if invite is None:
            self._refuse(cancel, 481, "is for no INVITE")
            return
        cancel.tag = invite.tag
        # An answered call is not cancelled (RFC 3261 9.2).
        in_time = invite.status < 200
        if in_time and invite.call is not None:
            invite.call.ended = "cancel"
        self._respond(cancel, 200)
        if in_time:
            self._respond(invite, 487)

    def _hung_up(self, bye: _Transaction) -> None:
        invite = self._dialog(bye.head)
        if invite is None or invite.call is None or invite.call.ended:
            self._refuse(bye, 481, "belongs to no call")
            return
        invite.call.ended = "bye"
        invite.resend_at = None
        self._respond(bye, 200)
        if invite.status < 200:
            self._respond(invite, 487)

    def _acknowledged(self, told: Head) -> None:
        """Stop sending the final response that the ACK is for; those of success and failure match alike here."""
        of_ack = (told.call_id, told.recipient.tag, told.sender.tag, told.cseq)
        for one in self._transactions.values():
            of_one = (one.head.call_id, one.tag, one.head.sender.tag, one.head.cseq)
            if one.request.method == "INVITE" and of_one == of_ack:
                one.resend_at = None
                return
        if told.call_id not in self.missed:
            self.violations.append(f"ACK of call {told.call_id} is for no INVITE")

    def _dialog(self, told: Head) -> _Transaction | None:
        return self._dialogs.get((told.call_id, told.recipient.tag, told.sender.tag))

    def _refuse(self, transaction: _Transaction, status: int, why: str) -> None:
        # What belongs to a call that came while the phone slept is the proxy's right.
        if transaction.head.call_id not in self.missed:
            self._note(transaction, why)
        self._respond(transaction, status, (_ALLOW,) if status == 405 else ())

    def _note(self, transaction: _Transaction, why: str) -> None:
        self.violations.append(f"{transaction.request.method} of call {transaction.head.call_id} {why}")

    def _respond(self, transaction: _Transaction, status: int, more: Headers = (), body: bytes = b"") -> None:
        request, told, source = transaction.request, transaction.head, transaction.source
        response = reply(request, told, source, status, tag=transaction.tag, more=more, body=body)
        transaction.status, transaction.response = status, response.encode()
        if request.method == "INVITE" and status >= 200:
            now = self._now()
            transaction.resend_at, transaction.give_up_at = now + T1_S, now + GIVE_UP_S
        self._send(transaction.response, way_back(told.via, source))
