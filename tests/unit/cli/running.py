"""Runs `pusher` within the test's process, exactly as its entry point does."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner, Result

from pusher.cli.main import main

#: Nobody listens there, and connections are refused.
NOBODY = "127.0.0.1:9"


class _Main:
    """What click's runner takes for a command: our whole entry point, with its way to end."""

    name = "pusher"

    def main(self, args: list[str], prog_name: str, **_: object) -> None:
        before, sys.argv = sys.argv, [prog_name, *args]
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        try:
            main()
        finally:
            sys.argv = before
            # `listen` logs to the runner's own standard error, which ends with the command.
            root.handlers[:] = handlers
            root.setLevel(level)


class Pusher:
    """The command with its environment; what it says lands in `stdout` and `stderr` of the result."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            "PUSHER_BUS_URL": "memory://localhost//",
            "PUSHER_REDIS_URL": f"redis://{NOBODY}/0",
            "PUSHER_DOCUMENTS_URL": f"sqlite:///{folder}/pusher.db",
            **environment,
        }

    def __call__(self, *args: str, typed: str | None = None, env: Mapping[str, str] | None = None) -> Result:
        """Run `pusher` with `args`, `typed` being what is typed at prompts. A traceback fails the test."""
        ambient: dict[str, str | None] = {name: None for name in os.environ if name.startswith("PUSHER_")}
        result = CliRunner().invoke(_Main(), args, input=typed, env=ambient | self.environment | dict(env or {}))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def done(self, *args: str, typed: str | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run `pusher`, which must succeed, and return what it says."""
        result = self(*args, typed=typed, env=env)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def fails(self, *args: str, typed: str | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run `pusher`, which must fail with status 1 and one line, and return that line."""
        result = self(*args, typed=typed, env=env)
        assert result.exit_code == 1, result.output
        assert result.stderr.startswith("Error: "), result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr.removeprefix("Error: ").rstrip("\n")
