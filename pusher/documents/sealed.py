"""The form in which a credential is encrypted at rest, and the keys for it (decision 0020).

`fernet:<name of the key>:<token>`: the name tells which key is needed without trying all.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from cryptography.fernet import Fernet, InvalidToken

from pusher.errors import CredentialInvalid
from pusher.redact import digest

_PREFIX = "fernet:"
_FORM = re.compile(r"fernet:([0-9a-f]{10}):([A-Za-z0-9_-]+={0,2})")


def make_key() -> str:
    """Return a new key in the form of `PUSHER_SECRET_KEY`."""
    return Fernet.generate_key().decode("ascii")


def name_of(key: str) -> str:
    """Return ten hex digits that stand for `key` where people read, and in all that it encrypts."""
    return digest(key)[:10]


def is_sealed(value: object) -> TypeGuard[str]:
    """Tell whether `value` is of the encrypted form, damaged or not."""
    return isinstance(value, str) and value.startswith(_PREFIX)


class SecretKeys:
    """The keys of `PUSHER_SECRET_KEY`: the first encrypts, all decrypt. Safe for threads."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernets = {name_of(key): Fernet(key) for key in keys}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys; the first one's encrypts, and without one nothing is encrypted."""
        return tuple(self._fernets)

    def seal(self, text: str) -> str:
        """Return `text` encrypted with the first key, as it is where there is none."""
        if not self._fernets:
            return text
        name = self.names[0]
        # A document may hold half a surrogate pair, if only in a credential that is spoilt.
        token = self._fernets[name].encrypt(text.encode("utf-8", "surrogatepass"))
        return f"{_PREFIX}{name}:{token.decode('ascii')}"

    def seal_object(self, value: Mapping[str, Any]) -> Mapping[str, Any] | str:
        """Return the JSON of `value` encrypted with the first key, `value` itself where there is none."""
        return self.seal(json.dumps(value)) if self._fernets else value

    def unseal(self, value: str) -> str:
        """Return what was encrypted to `value`, and a plain text as it is. Raises `CredentialInvalid`."""
        if not is_sealed(value):
            return value
        form = _FORM.fullmatch(value)
        if form is None:
            raise CredentialInvalid(_DAMAGED)
        name, token = form.groups()
        if name not in self._fernets:
            missing = "which is not in PUSHER_SECRET_KEY" if self._fernets else "and PUSHER_SECRET_KEY is not set"
            raise CredentialInvalid(f"it is encrypted with key #{name}, {missing}")
        try:
            return self._fernets[name].decrypt(token).decode("utf-8", "surrogatepass")
        except (InvalidToken, ValueError) as error:
            raise CredentialInvalid(_DAMAGED) from error

    def unseal_object(self, value: str) -> dict[str, Any]:
        """Return the object whose JSON was encrypted to `value`. Raises `CredentialInvalid`."""
        try:
            found: Any = json.loads(self.unseal(value))
        except (ValueError, RecursionError) as error:
            raise CredentialInvalid(_DAMAGED) from error
        if not isinstance(found, dict):
            raise CredentialInvalid(_DAMAGED)
        return found

    def is_first(self, value: str) -> bool:
        """Tell whether `value` names the first key as the one that it is encrypted with."""
        return bool(self._fernets) and value.startswith(f"{_PREFIX}{self.names[0]}:")


_DAMAGED = "its encrypted form is damaged: add it again"

#: Decrypts nothing, and leaves plain what it is to encrypt.
NO_KEYS = SecretKeys(())
