"""One phone registers, as far as Redis is concerned."""

from pusher.ports import Arrival, AwakePhone, Waits
from pusher.registration.device import Device


def arrival(
    waits: Waits,
    *,
    token: str | None = None,
    registration_token: str | None = None,
    device: Device | None = None,
    digest: str | None = None,
) -> Arrival:
    """Return what a phone with these tokens finds when it registers."""
    [found] = waits.arrive(AwakePhone(token=token, registration_token=registration_token, device=device, digest=digest))
    return found
