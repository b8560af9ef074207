"""A softphone that speaks SIP over UDP: registers, sleeps, is woken by its push, takes calls (facts: kazoo.md 6, 7)."""

import queue
import select
import socket
import threading
from contextlib import suppress
from typing import Self

from pusher.clock import Deadline
from pusher.errors import MessageInvalid
from pusher.simulators.phone import Phone
from pusher.simulators.sip_calls import T1_S, T2_S, SIPCall, SIPCalls
from pusher.simulators.sip_message import Head, SIPRequest, SIPResponse, head, parse
from pusher.simulators.sip_registrations import SIPRegistrations, belongs
from pusher.simulators.sip_reply import SocketAddress

#: Seconds that a registration may take with all its requests.
REGISTER_S = 5.0
#: A registrar that is never content with our credentials is not asked more often.
_MAX_REQUESTS = 4
_MAX_DATAGRAM = 65_535

_Answers = queue.SimpleQueue[SIPResponse | None]


class SIPHandset(Phone):
    """Start it, or use it as a context manager. It does not refresh its registration by itself.

    `contact_params` stands in the place of the push parameters of its Contact: those of the URI, then `>` and those
    of the header, each with its `;`, and `{token}` for the push token. For example
    `;pn-provider=fcm;pn-prid={token};pn-param=example`.
    """

    def __init__(
        self,
        *,
        proxy: SocketAddress,
        token: str,
        token_type: str,
        app_id: str,
        user: str,
        realm: str,
        password: str,
        wakes: bool = True,
        wake_delay_s: float = 0.0,
        answers: bool = True,
        expires_s: int = 600,
        contact_params: str | None = None,
    ) -> None:
        super().__init__(
            token=token,
            token_type=token_type,
            app_id=app_id,
            user=user,
            realm=realm,
            wakes=wakes,
            wake_delay_s=wake_delay_s,
        )
        #: Final status of every registration, 408 for silence.
        self.register_statuses: list[int] = []
        self._proxy = proxy
        self._password = password
        self._answers = answers
        self._expires_s = expires_s
        self._push_params = None if contact_params is None else contact_params.replace("{token}", token)
        self._state = threading.Lock()
        self._registering = threading.Lock()
        #: By branch; what comes late or twice is kept there and never read.
        self._pending: dict[str, tuple[Head, _Answers]] = {}

    def start(self) -> Self:
        """Bind a socket on loopback and listen."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        #: Host and port it listens on.
        self.address: SocketAddress = self._socket.getsockname()
        self._bell, self._ring = socket.socketpair()
        self._calls = SIPCalls(user=self.user, address=self.address, answers=self._answers, send=self._send)
        self._registrations = SIPRegistrations(
            user=self.user, realm=self.realm, password=self._password, address=self.address
        )
        self._reader = threading.Thread(target=self._read, name=f"phone {self.user}")
        self._reader.start()
        return self

    def close(self) -> None:
        """Stop without a word to anybody; a wake-up or registration under way is given up."""
        if self._closing.is_set():
            return
        self._closing.set()
        for _, answers in tuple(self._pending.values()):
            answers.put(None)
        self._ring.send(b"!")
        self._reader.join()
        super().close()
        with self._registering:
            for one in (self._socket, self._bell, self._ring):
                one.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def calls(self) -> list[SIPCall]:
        """The calls that it heard of, in order."""
        return self._calls.calls

    @property
    def missed(self) -> list[str]:
        """Call-IDs of the calls that came while it slept."""
        return self._calls.missed

    @property
    def violations(self) -> list[str]:
        """What the proxy should not have sent, a sentence each."""
        return self._calls.violations

    def sleep(self) -> None:
        """Ignore every request from now on, though the registrar believes it there."""
        with self._state:
            self._calls.sleep()

    def wake(self) -> None:
        """Hear again, without a push."""
        with self._state:
            self._calls.asleep = False

    def register(self, *, registration_token: str | None = None, expires_s: int | None = None) -> int:
        """Register and return the final status, 408 when nobody answered; `expires_s` 0 takes the binding back."""
        expires = self._expires_s if expires_s is None else expires_s
        with self._registering:
            status = self._register(registration_token, expires)
            self.register_statuses.append(status)
        return status

    def _register(self, registration_token: str | None, expires_s: int) -> int:
        host, port = self.address
        contact = self.contact(
            f"{host}:{port}",
            registration_token=registration_token,
            expires_s=expires_s,
            push_params=self._push_params,
        )
        deadline = Deadline.after(REGISTER_S)
        credentials: dict[str, str] = {}
        status = 408
        for _ in range(_MAX_REQUESTS):
            request = self._registrations.request(
                contact, expires_s=expires_s, registration_token=registration_token, credentials=credentials
            )
            response = self._ask(request, deadline)
            status = 408 if response is None else response.status
            if response is None or not self._goes_on(response, credentials, expires_s):
                break
        return status

    def _goes_on(self, response: SIPResponse, credentials: dict[str, str], expires_s: int) -> bool:
        try:
            self._registrations.check(response, expires_s=expires_s)
            return self._registrations.answer_challenge(response, credentials)
        except MessageInvalid as fault:
            self.violations.append(f"{response.status} to REGISTER: {fault}")
            return False

    def _ask(self, request: SIPRequest, deadline: Deadline) -> SIPResponse | None:
        """Send until the final response is there; None when it did not come (RFC 3261 17.1.2)."""
        told = head(request)
        answers: _Answers = queue.SimpleQueue()
        self._pending[told.via.branch] = (told, answers)
        pause_s = T1_S
        self._send(request.encode(), self._proxy)
        while not deadline.passed and not self._closing.is_set():
            try:
                response = answers.get(timeout=min(pause_s, deadline.remaining_s()))
            except queue.Empty:
                pause_s = min(2 * pause_s, T2_S)
                self._send(request.encode(), self._proxy)
                continue
            if response is None or response.status >= 200:
                return response
            pause_s = T2_S
        return None

    def _register_awake(self, registration_token: str | None) -> None:
        self.wake()
        self.register(registration_token=registration_token)

    def _send(self, datagram: bytes, address: SocketAddress) -> None:
        # UDP may lose any datagram: what matters is sent again.
        with suppress(OSError):
            self._socket.sendto(datagram, address)

    def _read(self) -> None:
        wait_s: float | None = None
        while not self._closing.is_set():
            readable, _, _ = select.select([self._socket, self._bell], [], [], wait_s)
            with self._state:
                if self._socket in readable:
                    self._take(*self._socket.recvfrom(_MAX_DATAGRAM))
                wait_s = self._calls.resend_due()

    def _take(self, datagram: bytes, source: SocketAddress) -> None:
        # Line ends and zeros keep a NAT binding open (RFC 5626 4.4.1; Kamailio's nathelper).
        if not datagram.strip(b"\r\n\0"):
            return
        try:
            message = parse(datagram)
            if isinstance(message, SIPRequest):
                self._calls.receive(message, source)
            else:
                self._take_answer(message)
        except MessageInvalid as fault:
            self.violations.append(str(fault))

    def _take_answer(self, response: SIPResponse) -> None:
        told = head(response)
        request, answers = self._pending.get(told.via.branch, (None, None))
        if request is None or answers is None or not belongs(told, request):
            self.violations.append(f"{response.status} of call {told.call_id} answers nothing that was asked")
        else:
            answers.put(response)
