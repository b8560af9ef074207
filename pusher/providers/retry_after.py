"""The Retry-After header (RFC 9110 10.2.3): how long a provider asks us to stay away."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pusher.http2.request import Response

_SECONDS = re.compile(r"[0-9]{1,9}")


def retry_after_s(response: Response, now: datetime) -> float | None:
    """Return the seconds from `now` that `response` names, as such or as a date; None where it names none."""
    value = response.header("retry-after")
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    # A date with the zone "-0000" comes back without one; HTTP dates are always GMT.
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - now).total_seconds())
