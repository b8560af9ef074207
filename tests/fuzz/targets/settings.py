"""What operators write: the `pusher` document, credentials, addresses, the environment."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

from pusher import redact
from pusher.documents.typed_settings import TypedSettings
from pusher.errors import CredentialInvalid, SettingsInvalid
from pusher.http2.dial import Proxy
from pusher.http2.origin import Origin
from pusher.messages.push_request import PushRequest
from pusher.providers.apple import client as apple_client
from pusher.providers.apple import credentials as apple
from pusher.providers.apple import topics
from pusher.providers.firebase import client as firebase_client
from pusher.providers.firebase import credentials as firebase
from pusher.push.app import AppleApp, FirebaseApp, ProviderName
from pusher.push.notification import Notification
from pusher.registration.user_agents import first_match
from pusher.settings import Settings
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target
from tests.fuzz.targets import issued

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PUSH = Notification.of(
    PushRequest(token="0a" * 32, token_type="apple", app_id="org.x"),
    ProviderName.APPLE,
    received_at=NOW.timestamp(),
    wake_window_s=20.0,
)
DOCUMENT = {
    "_id": "pusher",
    "default": {
        "User-Agents": {"L": {"regex": "^L", "properties": {"Token-ID": "pn-tok", "Token-App": "app-id"}}},
        "apple": {"host": "api.push.apple.com:443", "headers": {"apns_priority": 10}},
        "firebase": {"api_key": "k"},
    },
    "org.x": {
        "apple": {
            "token_key": {"key_id": "ABCDE12345", "team_id": "TEAM123456", "private_key": "x"},
            "enabled": "true",
            "apns_topic": "org.x.voip",
            "push_type": "voip",
        },
        "firebase": {"service_account": {"project_id": "p", "type": "service_account"}},
    },
    "z1": {"apple": {"certificate": "-----BEGIN"}},
}


def check_document(data: bytes) -> None:
    """Whatever stands in the document, each part is typed or skipped by name, and what is typed can be worked with."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    for zone in (None, "z1"):
        settings = TypedSettings.of(document, zone)
        assert all(str(problem) and problem.problem.isprintable() for problem in settings.skipped)
        first_match(settings.user_agents, "Linphone/5")
        for (app_id, provider), app in settings.apps.items():
            assert app.app_id == app_id
            assert app.provider is provider
            assert settings.app("some.other", provider) is None or ("default", provider) in settings.apps
            _use(app)


def _use(app: AppleApp | FirebaseApp) -> None:
    _refused_at_most(lambda: Origin.parse(app.host))
    if isinstance(app, AppleApp):
        apple_client._request(PUSH, app)
        apple_client._pool_key(app)
        key = app.token_key
        if key is not None:
            _refused_at_most(lambda: apple.check_token_key(key.private_key, key.key_id, key.team_id))
    elif app.service_account is not None:
        account = app.service_account
        firebase_client._pool_key(app, account)
        _refused_at_most(lambda: firebase.check_fields(account))


def _refused_at_most(act: Callable[[], object]) -> None:
    try:
        act()
    except (CredentialInvalid, SettingsInvalid) as error:
        assert str(error).isprintable()
        assert "-----BEGIN PRIVATE" not in str(error)


def check_credential(data: bytes) -> None:
    """A file that is no credential, or a damaged one, is refused in words that quote nothing of it."""
    draw = Draw(data)
    kind, rest = draw.byte() % 5, draw.rest()
    text = rest.decode("utf-8", "replace")
    if kind == 0:
        found = topics.read_topics(rest)
        assert all(topic.isprintable() for topic in found)
    elif kind == 1:
        _refused_at_most(lambda: apple.check_certificate(text, NOW))
    elif kind == 2:
        _refused_at_most(lambda: apple.check_token_key(text, "ABCDE12345", "TEAM123456"))
    elif kind == 3:
        _refused_at_most(lambda: firebase.check_service_account(text))
    else:
        # A changed certificate inside a sound frame: what Base64 hides from a fuzzer.
        der = base64.encodebytes(rest).decode()
        pem = f"-----BEGIN CERTIFICATE-----\n{der}-----END CERTIFICATE-----\n{issued.KEY}"
        _refused_at_most(lambda: apple.check_certificate(pem, NOW))


def check_address(data: bytes) -> None:
    """An address or an environment is taken or refused by its name, and its password stays out of the error."""
    draw = Draw(data)
    kind = draw.byte() % 3
    if kind == 0:
        text = draw.rest().decode("utf-8", "replace")
        try:
            origin = Origin.parse(text)
        except SettingsInvalid:
            return
        assert Origin.parse(origin.authority) == origin
        assert origin.authority.isascii()
        assert not set(origin.authority) & set(" /@\r\n?#")
    elif kind == 1:
        text = draw.rest().decode("utf-8", "surrogateescape")
        try:
            proxy = Proxy.parse(text)
        except SettingsInvalid as error:
            assert str(error).isprintable()
            return
        assert 0 <= proxy.port < 65536
        assert proxy.authorization is None or proxy.authorization.isascii()
        assert "\n" not in (proxy.authorization or "") + proxy.host
        redact.url(text)
    else:
        _check_environment(draw)


VARIABLES = (
    *("PUSHER_BUS_URL", "PUSHER_BROKER_URL", "PUSHER_REDIS_URL", "PUSHER_DOCUMENTS_URL", "PUSHER_PROXY_URL"),
    *("PUSHER_ZONE", "PUSHER_WAKE_WINDOW_S", "PUSHER_CA_FILE", "PUSHER_LOG_FORMAT", "PUSHER_LOG_LEVEL", "PUSHER_X"),
)


def _check_environment(draw: Draw) -> None:
    # The system hands out no value with a NUL byte.
    environment = {
        draw.choice(VARIABLES): draw.text(errors="surrogateescape").replace("\0", "")
        for _ in range(1 + draw.byte() % 4)
    }
    try:
        settings = Settings.from_environment(environment)
    except SettingsInvalid as error:
        assert error.name in VARIABLES
        assert str(error).isprintable()
        return
    assert 1 <= settings.wake_window_s <= 3600
    assert settings.zone != "default"


DOCUMENTS = Target(
    name="pusher_document",
    check=check_document,
    seeds=(json.dumps(DOCUMENT).encode(), b'{"default":{"User-Agents":{"x":{"regex":"("}}}}', b'{"a":{"apple":{}}}'),
    words=(
        b'"apple":',
        b'"firebase":',
        b'"token_key":',
        b'"headers":{"x":1}',
        b'"enabled":"false"',
        b'"regex":"(a+)+$"',
    ),
)
CREDENTIAL = Target(
    name="credential",
    check=check_credential,
    seeds=(
        b"\x00" + issued.TOPICS,
        b"\x01" + issued.PAIR.encode(),
        b"\x02" + issued.KEY.encode(),
        b"\x03" + issued.ACCOUNT.encode(),
        b"\x04" + issued.CERTIFICATE_DER,
    ),
    words=(b"-----BEGIN CERTIFICATE-----\n", b"-----END PRIVATE KEY-----\n", b"\x30\x80", b"\x0c\x84\xff\xff\xff\xff"),
)
ADDRESS = Target(
    name="address",
    check=check_address,
    seeds=(
        b"\x00api.push.apple.com:2197",
        b"\x00[2001:db8::1]:443",
        b"\x01http://user:p%40ss@proxy.example:3128",
        b"\x02\x02\x00\x35amqp://guest:guest@host:5672/vhost\x06\x1220\x05\x12z1",
        b"\x02\x01\x03\x28https://u:p@couch:5984/\x04\x20http://proxy:3128",
    ),
    words=(b"[::1]", b"::", b"%0d%0a", b"amqps://", b"sqlite:///", b"redis://", b"unix:///", b"xn--", b"..", b":65536"),
)
