"""Gone: see until.py."""

from tests.support.until import until as wait_until

__all__ = ["wait_until"]
