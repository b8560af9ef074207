"""A device as Kazoo keeps it, and what is compared of raw documents."""

import json
import re
from typing import Any

from pusher.registration.device import Device
from pusher.registration.push_object import PushObject

ACCOUNT = Device(account_id="0011223344556677889900aabbccddee", device_id="aabbccddeeff00112233445566778899")
DATABASE = ACCOUNT.database
ENCODED = "account%2F00%2F11%2F223344556677889900aabbccddee"
PUSH_OBJECT = PushObject(
    (
        ("Token-App", "com.example.softphone"),
        ("Token-Type", "firebase"),
        ("Token-ID", "fX9_q:APA91bH-Example_Token~0123456789"),
        ("Token-Proxy", "sip:127.0.0.1:5060"),
    )
)
#: Twenty fields beside `_id` and `push`, of every type that JSON has.
DEVICE: dict[str, Any] = {
    "_id": ACCOUNT.device_id,
    "name": 'Zoë\'s "phone" \u2028 \U0001f4f1 \x00 \\/ \x7f',
    "enabled": True,
    "mac_address": None,
    "device_type": "softphone",
    "owner_id": "ffeeddccbbaa99887766554433221100",
    "sip": {"username": "u\\1", "password": "p\"w'</>", "realm": "acme.sip.example.com", "expire_seconds": 300},
    "call_forward": {"enabled": False, "number": "", "keep_caller_id": True},
    "media": {"audio": {"codecs": ["OPUS", "G722", "PCMA"]}, "video": {"codecs": []}, "fax_option": False},
    "ringtones": {},
    "music_on_hold": {},
    "zz": [[], {}, [{"b": 1.5, "a": -0.25}], "", 0, -1],
    "aa": 9007199254740991,
    "suppress_unregister_notifications": False,
    "exclude_from_queues": False,
    "push": {"Token-ID": "an old one", "Token-App": "com.example.softphone", "Token-Type": "firebase"},
    "pvt_type": "device",
    "pvt_account_id": ACCOUNT.account_id,
    "pvt_account_db": DATABASE,
    "pvt_created": 63829000000,
    "pvt_modified": 63829000001,
    "pvt_vsn": "1",
    "pvt_auth_account_id": ACCOUNT.account_id,
}
_REV = re.compile(rb',?"_rev":"[^"]*"')


def without_push(raw: bytes) -> bytes:
    """Return a raw document with `_rev` and `push` cut out, and not a byte else."""
    raw = _REV.sub(b"", raw)
    begin = raw.find(b'"push":{')
    return raw if begin < 0 else raw[:begin].rstrip(b",") + raw[raw.index(b"}", begin) + 1 :]


def compact(document: dict[str, Any]) -> bytes:
    """Return `document` as we send it."""
    return json.dumps(document, separators=(",", ":")).encode()
