"""Every key that Pusher has in Redis.

| key | type | holds | lives | owner |
|---|---|---|---|---|
| `pusher:wait:<token>` | hash | calls that wait for a push token: push id -> JSON | to the last deadline | waits |
| `pusher:pass:<token>` | hash | the push tokens a registration token was sent to | the same | waits |
| `pusher:deadlines` | sorted set | push tokens by epoch seconds of their last deadline | the same | waits |
| `pusher:since` | string | epoch seconds: since when Redis has been remembering calls | for ever | waits |
| `pusher:owner:<token>` | string | JSON: who registered a push token last, and when | 90 days | tokens |
| `pusher:token:<account>:<device>` | string | digest of the push token in the document | 90 days | tokens |
| `pusher:latest:<account>:<device>` | string | digest of the push object last registered with | 1 day | tokens |
| `pusher:learned:<account>:<device>` | string | digest of the push object written or queued | as told | tokens |
| `pusher:sent:<push id>` | string | mark: a provider accepted this push | 5 minutes past its deadline | sent |
| `pusher:shared:<name>` | string | JSON: a provider token and when it was issued | to its expiry | shared_tokens |
| `pusher:shared:lock:<name>` | string | mark: some process renews that provider token | as told | shared_tokens |
| `pusher:check:<random>` | string | nothing: `pusher check` looks whether Redis takes writes | 1 second | inspection |

`<token>` is `redact.digest` of a token, never the token itself. Losing any key costs an answer, a repeated push or a
repeated look at a document, nothing more. Change the form of a value and its key needs a new name, because two releases
run side by side during an upgrade.
"""

from pusher.registration.device import Device

DEADLINES = "pusher:deadlines"
SINCE = "pusher:since"


def waits(token_digest: str) -> str:
    """Name the calls that wait for a push token."""
    return f"pusher:wait:{token_digest}"


def registration(registration_token_digest: str) -> str:
    """Name the push tokens to which a registration token was sent."""
    return f"pusher:pass:{registration_token_digest}"


def owner(token_digest: str) -> str:
    """Name the owner of a push token."""
    return f"pusher:owner:{token_digest}"


def token(device: Device) -> str:
    """Name the digest of the push token that was last written into `device`'s document."""
    return f"pusher:token:{device.account_id}:{device.device_id}"


def latest(device: Device) -> str:
    """Name the digest of the push object that `device` registered with last."""
    return f"pusher:latest:{device.account_id}:{device.device_id}"


def learned(device: Device) -> str:
    """Name the digest of the push object that was written, or is being written, into `device`'s document."""
    return f"pusher:learned:{device.account_id}:{device.device_id}"


def sent(push_id: str) -> str:
    """Name the mark of an accepted push."""
    return f"pusher:sent:{push_id}"


def shared(name: str) -> str:
    """Name a shared provider token."""
    return f"pusher:shared:{name}"


def shared_lock(name: str) -> str:
    """Name the mark of the process that renews a shared provider token."""
    return f"pusher:shared:lock:{name}"


def check(random: str) -> str:
    """Name what `pusher check` writes to see whether it can."""
    return f"pusher:check:{random}"
