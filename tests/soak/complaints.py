"""What this very process logs: the simulators must not fail unseen, and their outages need not be read by people."""

import logging

from tests.soak.record import Line


class Complaints(logging.Handler):
    """Keeps errors, until it is closed; lets nothing else through to the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._lines: list[Line] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        error = "" if record.exc_info is None else f" | {record.exc_info[1]!r}"
        self._lines.append(Line(at=record.created, process="simulators", text=f" {record.getMessage()}{error}"))

    def taken(self) -> list[Line]:
        """Return what came since it was asked last."""
        lines, self._lines = self._lines, []
        return lines

    def close(self) -> None:
        """Listen no more."""
        logging.getLogger().removeHandler(self)
        super().close()
