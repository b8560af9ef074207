"""Values that the flow tests start from."""

from collections.abc import Callable, Sequence

from pusher.errors import MessageInvalid
from pusher.messages.push_request import PushRequest
from pusher.messages.registration import Registration
from pusher.push.app import ProviderName
from pusher.push.notification import Notification
from pusher.registration.device import Device
from pusher.registration.push_object import PushObject

TOKEN = "fX9_q:APA91bH-Example_Token~0123456789"
ACCOUNT, DEVICE_ID = "0011223344556677889900aabbccddee", "aabbccddeeff00112233445566778899"
DEVICE = Device(account_id=ACCOUNT, device_id=DEVICE_ID)
PUSH_OBJECT = PushObject((("Token-App", "com.example.softphone"), ("Token-Type", "firebase"), ("Token-ID", TOKEN)))


def request(**changes) -> PushRequest:
    """Return a push_req of a waiting call."""
    fields = {
        "token": TOKEN,
        "token_type": "firebase",
        "app_id": "com.example.softphone",
        "msg_id": "m1",
        "server_id": "kamailio-1",
        "call_id": "call-1",
        "registration_token": "reg-1",
    }
    return PushRequest(**fields | changes)


def notification(received_at: float, *, window_s: float = 20.0, **changes) -> Notification:
    """Return the push of that call."""
    return Notification.of(request(**changes), ProviderName.FIREBASE, received_at=received_at, wake_window_s=window_s)


def one_by_one(
    flow: Callable[[Sequence[Registration]], Sequence[MessageInvalid | None]],
) -> Callable[[Registration], None]:
    """Return what has `flow` take one registration, and raises what is wrong with it."""

    def accept(registration: Registration) -> None:
        [problem] = flow([registration])
        if problem is not None:
            raise problem

    return accept
