"""`system_config/pusher` as a cluster of Kazoo's keeps it: apps, zones, nodes, and keys that nobody here knows."""

import json
from collections.abc import Iterator
from typing import Any

VOIP, SANDBOX, ANDROID, OFF = (
    "org.example.phone.voip.prod",
    "org.example.phone.voip.dev",
    "org.example.phone",
    "org.example.old",
)
ZONE = "us-east"


def pusher_document(certificate: str) -> bytes:
    """Return the document as raw JSON, in an order that no sorting gives; `certificate` is a PEM with its key."""
    document: dict[str, Any] = {
        "_id": "pusher",
        VOIP: {
            "apple": {
                "headers": {"apns_push_type": "voip", "apns_topic": "org.example.phone.voip", "apns-priority": 10},
                "certificate": certificate,
                "host": "api.push.apple.com",
                "apns_topic": "org.example.phone.voip",
                "enabled": True,
                "unknown_to_us": {"z": 1, "a": [None]},
            },
            "description": "ours",
        },
        "pvt_account_db": "system_config",
        ZONE: {"apple": {"apns_topic": "org.example.east", "host": "api.push.apple.com:2197"}, "log_roller": 5},
        "default": {
            "reconnect_timeout": 2000,
            "User-Agents": {
                "Zoiper": {"regex": "^Z[0-9]", "properties": {"Token-ID": "pn-tok", "Token-App": "app-id"}},
                "Linphone": {
                    "regex": "^Linphone",
                    "properties": {"Token-App": "app-id", "Token-Type": "pn-type", "Token-ID": "pn-tok"},
                },
                "Any": {"regex": ".", "properties": {"Token-ID": "tok", "Token-App": "app", "Token-Type": "type"}},
            },
            "apple": {"host": "api.push.apple.com:443", "enabled": "true"},
            "firebase": {"api_key": "AAAA-legacy"},
        },
        "pusher@kazoo.lab.example.com": {"firebase": {"api_key": "of one node"}},
        SANDBOX: {"apple": {"certificate": certificate, "host": "api.sandbox.push.apple.com"}},
        ANDROID: {"firebase": {"api_key": "AAAA-phone"}, "apple": {"certificate": certificate, "host": ""}},
        OFF: {"firebase": {"enabled": False}},
        "pvt_created": 63829000000,
        "pvt_type": "config",
        "pvt_node": "kazoo_apps@kazoo.lab.example.com",
        "pvt_modified": 63829000001,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def leaves(raw: bytes) -> dict[tuple[str, ...], str]:
    """Return what stands in a raw document but `_rev`: the path of every leaf and the leaf as JSON, in order."""
    document = json.loads(raw)
    del document["_rev"]
    return dict(_leaves((), document))


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves((*path, name), item)
    else:
        yield path, json.dumps(value)
