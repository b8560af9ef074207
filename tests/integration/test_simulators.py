"""The simulators over real TLS and HTTP/2: rules held against a client that breaks them, each misbehaviour once."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth import crypt, jwt
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    DataFrame,
    HeadersFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from pusher.simulators.apple import APNsSimulator
from pusher.simulators.authority import Authority, ClientCertificate
from pusher.simulators.misbehaviour import (
    REFUSE,
    Answer,
    Behaviour,
    Delay,
    Disconnect,
    Garbage,
    GoAway,
    HalfClose,
    LimitStreams,
    Reset,
    Silent,
)
from tests.integration.raw_http2 import RawHTTP2
from tests.support.until import until

TOKEN, OTHER = "ab" * 32, "cd" * 32
TOPIC = "com.example.phone.voip"
HEADERS = {"apns-topic": TOPIC, "apns-push-type": "voip", "apns-priority": "10"}
BODY = b'{"call-id":"abc"}'


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> ClientCertificate:
    return authority.client_certificate(topics=(TOPIC,), bundle_id="com.example.phone", key="ec")


@pytest.fixture
def apns(authority: Authority) -> Iterator[APNsSimulator]:
    with APNsSimulator(authority, stream_limit=3) as made:
        made.register_token(TOKEN, TOPIC)
        made.register_token(OTHER, TOPIC)
        yield made


@pytest.fixture
def client(apns: APNsSimulator, authority: Authority, certificate: ClientCertificate) -> Iterator[RawHTTP2]:
    """A client with a certificate that has acknowledged the server's settings."""
    with connect(apns, authority, certificate.path) as made:
        made.settings(1)
        made.ping(b"settled.")
        yield made


def connect(apns: APNsSimulator, authority: Authority, certificate: Path | None = None) -> RawHTTP2:
    return RawHTTP2(apns.port, authority.ca_file, certificate=certificate)


def push(client: RawHTTP2, token: str = TOKEN) -> int:
    return client.post(f"/3/device/{token}", HEADERS, BODY)


def problems(apns: APNsSimulator) -> list[str]:
    return [violation.problem for violation in apns.violations]


class TestServing:
    """The right thing."""

    def test_push_with_a_certificate_is_accepted_and_recorded(
        self, apns: APNsSimulator, client: RawHTTP2, certificate: ClientCertificate
    ) -> None:
        answer = client.answer(push(client))
        (request,) = apns.requests
        (connection,) = apns.connections

        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["apns-id"] == apns.accepted[0].apns_id
        assert (request.method, request.path, request.body) == ("POST", f"/3/device/{TOKEN}", BODY)
        assert (request.authority, request.header("apns-topic")) == ("localhost", TOPIC)
        assert request.answer is not None
        assert request.answer.status == 200
        assert connection.client_subject == certificate.certificate.subject.rfc4514_string()
        assert (apns.connections_opened, apns.connections_open) == (1, 1)
        assert apns.violations == []

    def test_end_of_a_connection_is_recorded(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        client.socket.close()
        until(lambda: apns.connections_open == 0)
        assert apns.connections_opened == 1

    def test_headers_that_must_not_be_indexed_are_told_apart(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        secret = frozenset({":path", "authorization"})
        client.answer(client.post(f"/3/device/{TOKEN}", {**HEADERS, "authorization": "x"}, BODY, secret=secret))
        assert apns.requests[0].never_indexed == secret

    def test_client_with_a_provider_token_gets_more_streams_after_its_first_success(
        self, apns: APNsSimulator, authority: Authority
    ) -> None:
        key = authority.auth_key("ABC123DEFG", "TEAM123456")
        apns.add_key(key.key_id, key.team_id, key.public_key)
        claims = {"iss": key.team_id, "iat": int(time.time())}
        token = jwt.encode(crypt.ES256Signer.from_string(key.pem), claims, key_id=key.key_id).decode()
        headers = {**HEADERS, "authorization": f"bearer {token}"}
        with connect(apns, authority) as client:
            assert client.settings(1)[0][SettingCodes.MAX_CONCURRENT_STREAMS] == 1
            assert client.answer(client.post(f"/3/device/{'ee' * 32}", headers, BODY)).status == 400
            assert len(client.settings(1)) == 1
            assert client.answer(client.post(f"/3/device/{TOKEN}", headers, BODY)).status == 200
            assert client.settings(2)[1] == {SettingCodes.MAX_CONCURRENT_STREAMS: 3}
            assert client.answer(client.post(f"/3/device/{TOKEN}", headers, BODY)).status == 200
            assert len(client.settings(2)) == 2

    def test_on_push_is_called_in_a_thread_that_may_take_its_time(
        self, authority: Authority, certificate: ClientCertificate
    ) -> None:
        may_go, rung = threading.Event(), []

        def on_push(token: str, payload: object, headers: object) -> None:
            assert may_go.wait(5)
            rung.append((token, payload, threading.current_thread().name))

        with APNsSimulator(authority, on_push=on_push) as apns:
            apns.register_token(TOKEN, TOPIC)
            with connect(apns, authority, certificate.path) as client:
                assert client.answer(push(client)).status == 200
                assert client.answer(push(client)).status == 200
                may_go.set()
            until(lambda: len(rung) == 2)
        assert rung[0] == (TOKEN, json.loads(BODY), "APNsSimulator on_push_0")

    def test_failing_on_push_is_logged_and_the_next_one_comes(
        self, authority: Authority, certificate: ClientCertificate, caplog: pytest.LogCaptureFixture
    ) -> None:
        calls: list[str] = []

        def on_push(token: str, payload: object, headers: object) -> None:
            calls.append(token)
            raise LookupError("no such handset")

        with APNsSimulator(authority, on_push=on_push) as apns:
            apns.register_token(TOKEN, TOPIC)
            with connect(apns, authority, certificate.path) as client:
                client.answer(push(client))
                client.answer(push(client))
        assert calls == [TOKEN, TOKEN]
        assert [record.message for record in caplog.records] == ["on_push failed", "on_push failed"]

    def test_closed_simulator_comes_back_on_its_port_and_remembers(
        self, authority: Authority, certificate: ClientCertificate
    ) -> None:
        apns = APNsSimulator(authority)
        apns.register_token(TOKEN, TOPIC)
        with apns:
            port = apns.port
            with connect(apns, authority, certificate.path) as client:
                client.answer(push(client))
                apns.close()
                assert client.read_to_end() in {"eof", "reset"}
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            apns.start()
            assert apns.host == f"127.0.0.1:{port}"
            with connect(apns, authority, certificate.path) as client:
                client.answer(push(client))
        assert len(apns.accepted) == 2

    def test_close_does_not_wait_for_a_handshake(self, authority: Authority) -> None:
        with APNsSimulator(authority) as apns, socket.create_connection(("127.0.0.1", apns.port)) as mute:
            with connect(apns, authority):
                pass
            started = time.monotonic()
            apns.close()
            assert time.monotonic() - started < 2
            assert mute.recv(1) == b""


class TestTLS:
    """Who is let in."""

    def test_client_that_does_not_know_the_authority_turns_away(self, apns: APNsSimulator, tmp_path: Path) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            RawHTTP2(apns.port, Authority(tmp_path).ca_file)
        assert apns.connections_opened == 0

    def test_certificate_of_another_authority_is_turned_away(
        self, apns: APNsSimulator, authority: Authority, tmp_path: Path
    ) -> None:
        stranger = Authority(tmp_path).client_certificate(topics=(TOPIC,), bundle_id="a.b", key="ec")
        with connect(apns, authority, stranger.path) as client, contextlib.suppress(ssl.SSLError):
            # asyncio may close before it has sent TLS' alert.
            client.read_to_end()
        assert apns.connections_opened == 0

    def test_client_without_alpn_is_turned_away(self, apns: APNsSimulator, authority: Authority) -> None:
        with RawHTTP2(apns.port, authority.ca_file, alpn=None) as client:
            assert client.read_to_end() in {"eof", "reset"}
        assert problems(apns) == ["no ALPN h2"]


class TestRules:
    """What a client must keep to."""

    def test_stream_over_the_limit_is_refused_and_a_violation(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Silent(), times=3)
        for _ in range(3):
            push(client)

        assert client.reset_code(push(client)) == ErrorCodes.REFUSED_STREAM
        assert problems(apns) == ["stream over limit"]
        assert apns.connections[0].max_concurrent == 4
        assert [request.behaviour for request in apns.requests] == [Silent()] * 3 + [REFUSE]

    def test_stream_that_is_over_makes_room(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Silent())
        silent = push(client)
        client.send(RstStreamFrame(silent, error_code=ErrorCodes.CANCEL))
        for _ in range(4):
            client.answer(push(client))

        assert apns.violations == []
        assert apns.connections[0].max_concurrent == 1

    def test_limit_can_change_while_running(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.limit_streams(1)
        assert client.settings(2)[1] == {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        client.ping(b"settled2")
        apns.next(Silent())
        push(client)

        assert client.reset_code(push(client)) == ErrorCodes.REFUSED_STREAM
        assert problems(apns) == ["stream over limit"]

    def test_priority_frame_ends_the_connection(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        client.send(PriorityFrame(1, depends_on=0, stream_weight=3, exclusive=False))

        assert client.goaway().error_code == ErrorCodes.PROTOCOL_ERROR
        assert client.read_to_end() == "eof"
        assert problems(apns) == ["PRIORITY frame"]

    def test_priority_inside_headers_ends_the_connection(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        client.post(f"/3/device/{TOKEN}", HEADERS, BODY, flags=("PRIORITY",))

        assert client.goaway().error_code == ErrorCodes.PROTOCOL_ERROR
        assert problems(apns) == ["PRIORITY frame"]

    def test_protocol_error_ends_the_connection(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        client.send(DataFrame(1, data=b"before any headers"))

        assert client.read_to_end() == "eof"
        assert problems(apns)[0].startswith("protocol error: ")

    def test_stream_after_goaway_is_a_violation_and_gets_no_answer(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(GoAway(closes=False))
        client.answer(push(client))
        client.goaway()
        client.ping(b"read it.")
        push(client)
        client.ping(b"and now?")

        assert problems(apns) == ["stream after GOAWAY"]
        assert len(apns.accepted) == 1
        assert apns.requests[1].answer is None

    def test_held_windows_open_when_released(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.hold_windows()
        stream_id = client.post(f"/3/device/{TOKEN}", HEADERS, b"", more=True)
        full = 65_535
        while full:
            part = min(full, 16_384)
            client.send(DataFrame(stream_id, data=bytes(part)))
            full -= part
        client.ping(b"all read")
        assert client.of(WindowUpdateFrame) == []

        apns.release_windows()
        updates = client.wait_for(lambda: client.of(WindowUpdateFrame))
        assert {frame.stream_id for frame in updates} <= {0, stream_id}
        client.send(DataFrame(stream_id, data=b"x", flags=["END_STREAM"]))
        assert client.answer(stream_id).status == 413
        seen = len(client.of(WindowUpdateFrame))
        client.post(f"/3/device/{TOKEN}", HEADERS, bytes(16_384), more=True)
        client.post(f"/3/device/{TOKEN}", HEADERS, bytes(16_384), more=True)
        client.wait_for(lambda: len(client.of(WindowUpdateFrame)) > seen)

    def test_stream_window_is_announced(self, authority: Authority) -> None:
        with APNsSimulator(authority, stream_window=100) as apns, connect(apns, authority) as client:
            assert client.settings(1)[0][SettingCodes.INITIAL_WINDOW_SIZE] == 100


class TestMisbehaviour:
    """Each once."""

    @pytest.mark.parametrize(
        ("status", "reason", "retry_after"), [(429, "TooManyRequests", "7"), (503, "Shutdown", "1")]
    )
    def test_scripted_answer(
        self, apns: APNsSimulator, client: RawHTTP2, status: int, reason: str, retry_after: str
    ) -> None:
        apns.next(Answer(status=status, reason=reason, headers=(("retry-after", retry_after),)))
        answer = client.answer(push(client))

        assert (answer.status, json.loads(answer.body)) == (status, {"reason": reason})
        assert answer.headers["retry-after"] == retry_after
        assert apns.accepted == []
        assert client.answer(push(client)).status == 200

    def test_scripted_body_need_not_be_json(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Answer(status=502, body=b"<html>"))
        assert client.answer(push(client)).body == b"<html>"

    def test_answer_larger_than_the_clients_window_waits_for_it(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        page = b"x" * 100_000
        apns.next(Answer(status=500, body=page))
        stream_id = push(client)
        client.wait_for(lambda: sum(len(frame.data) for frame in client.of(DataFrame)) == 65_535)
        client.send(WindowUpdateFrame(0, window_increment=50_000))
        client.send(WindowUpdateFrame(stream_id, window_increment=50_000))

        assert client.answer(stream_id).body == page
        client.answer(push(client))
        assert apns.connections[0].max_concurrent == 1

    def test_behaviour_may_be_meant_for_one_token(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.always(Answer(status=500, reason="InternalServerError"), token=OTHER)

        assert [client.answer(push(client, token)).status for token in (TOKEN, OTHER, OTHER)] == [200, 500, 500]
        apns.clear()
        assert client.answer(push(client, OTHER)).status == 200

    @pytest.mark.parametrize("behaviour", [Answer(status=503, accept=True), Reset(accept=True), Silent(accept=True)])
    def test_push_may_go_out_although_its_answer_is_wrong_or_missing(
        self, apns: APNsSimulator, client: RawHTTP2, behaviour: Behaviour
    ) -> None:
        apns.next(behaviour)
        push(client)
        client.ping(b"all read")
        assert len(apns.accepted) == 1

    def test_delay(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Delay(delay_s=0.1), token=TOKEN)
        started = time.monotonic()
        slow, fast = push(client), push(client, OTHER)

        assert client.answer(slow).status == 200
        assert [frame.stream_id for frame in client.of(HeadersFrame)] == [fast, slow]
        assert time.monotonic() - started >= 0.1

    def test_stream_that_the_client_gave_up_is_not_answered_later(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Delay(delay_s=0.2), token=TOKEN)
        apns.next(Delay(delay_s=0.25), token=OTHER)
        gone, other = push(client), push(client, OTHER)
        client.send(RstStreamFrame(gone, error_code=ErrorCodes.CANCEL))

        assert client.answer(other).status == 200
        assert [frame.stream_id for frame in client.of(HeadersFrame)] == [other]

    def test_request_and_its_cancellation_in_one_packet(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        stream_id = client.post(f"/3/device/{TOKEN}", HEADERS, b"", more=True)
        end = DataFrame(stream_id, data=BODY, flags=["END_STREAM"])
        client.send(end, RstStreamFrame(stream_id, error_code=ErrorCodes.CANCEL))

        assert client.answer(push(client, OTHER)).status == 200
        assert [accepted.token for accepted in apns.accepted] == [OTHER]

    def test_limit_streams_on_one_connection(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(LimitStreams(limit=1))

        assert client.answer(push(client)).status == 200
        assert client.settings(2)[1] == {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        assert client.answer(push(client)).status == 200
        assert len(client.settings(2)) == 2

    def test_goaway_that_includes_the_request(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Delay(delay_s=0.05), token=OTHER)
        apns.next(GoAway(reason="Shutdown"), token=TOKEN)
        earlier, this = push(client, OTHER), push(client)
        goaway = client.goaway()

        assert (goaway.last_stream_id, goaway.error_code) == (this, ErrorCodes.NO_ERROR)
        assert goaway.additional_data == b'{"reason":"Shutdown"}'
        assert client.answer(this).status == 200
        assert client.answer(earlier).status == 200
        assert client.read_to_end() == "eof"
        assert apns.violations == []

    def test_goaway_below_the_request(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Delay(delay_s=0.05), token=OTHER)
        apns.next(GoAway(processed=False), token=TOKEN)
        earlier, this = push(client, OTHER), push(client)

        assert client.goaway().last_stream_id == earlier == this - 2
        assert client.answer(earlier).status == 200
        assert client.read_to_end() == "eof"
        assert [frame.stream_id for frame in client.of(HeadersFrame)] == [earlier]
        assert [accepted.token for accepted in apns.accepted] == [OTHER]

    def test_goaway_below_the_first_request(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(GoAway(processed=False))
        push(client)
        assert client.goaway().last_stream_id == 0

    def test_goaway_on_an_idle_connection(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        last = push(client)
        client.answer(last)
        apns.go_away(GoAway(reason="IdleTimeout"))

        assert client.goaway().last_stream_id == last
        assert client.read_to_end() == "eof"

    def test_refused_stream(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(REFUSE)

        assert client.reset_code(push(client)) == ErrorCodes.REFUSED_STREAM
        assert (apns.accepted, apns.violations) == ([], [])

    def test_reset_stream(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Reset(error_code=ErrorCodes.INTERNAL_ERROR))

        assert client.reset_code(push(client)) == ErrorCodes.INTERNAL_ERROR
        assert client.answer(push(client)).status == 200

    def test_silence_on_a_live_connection(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Silent())
        silent = push(client)
        client.ping(b"alive???")

        assert client.answer(push(client)).status == 200
        assert not [frame for frame in client.frames if frame.stream_id == silent]

    def test_disconnect(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Disconnect())
        push(client)

        assert client.read_to_end() == "reset"
        until(lambda: apns.connections_open == 0)

    def test_disconnect_of_all(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.disconnect()
        assert client.read_to_end() == "reset"

    def test_half_closed_connection_goes_on_reading(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(HalfClose())
        push(client)
        assert client.read_to_end() == "eof"

        push(client)
        until(lambda: len(apns.requests) == 2)
        assert apns.connections_open == 1

    def test_garbage(self, apns: APNsSimulator, client: RawHTTP2) -> None:
        apns.next(Garbage(data=SettingsFrame(0, flags=["ACK"]).serialize() + b"garbage"))
        push(client)
        client.wait_for(lambda: client._unread == b"garbage")
