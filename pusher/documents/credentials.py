"""Where credentials stand in the `pusher` document, in which form, and how to change the form of all of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from typing import Any, assert_never

from pusher.documents.sealed import SecretKeys, is_sealed
from pusher.errors import CredentialInvalid
from pusher.push.app import ProviderName


class Form(StrEnum):
    """How a credential is saved."""

    PLAIN = "plain"
    #: With the key that encrypts now.
    ENCRYPTED = "encrypted"
    #: With a key that only decrypts: a rotation that has not ended.
    OLDER_KEY = "older_key"
    #: With a key that is not here, or damaged.
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A credential in a document."""

    #: As in `org.example.app.apple.certificate`.
    path: str
    form: Form
    #: A text, or the object that a service account is; None where it cannot be read.
    plain: str | Mapping[str, Any] | None = field(repr=False)
    #: Why it cannot be read.
    problem: str | None = None
    #: The object of the document that holds it, and under which key.
    holder: dict[str, Any] = field(repr=False)
    key: str


def in_document(document: Mapping[str, Any], keys: SecretKeys) -> Iterator[Found]:
    """Yield every credential of the `pusher` document, in its order; legacy server keys are left out.

    Those of Kazoo's nodes and of other zones are credentials too, whether or not they count for us.
    """
    sections = {name: value for name, value in document.items() if not name.startswith(("_", "pvt_"))}
    for (name, section), provider in product(sections.items(), ProviderName):
        settings = section.get(provider) if isinstance(section, dict) else None
        if isinstance(settings, dict):
            yield from in_settings(settings, provider, f"{name}.{provider}", keys)


def in_settings(settings: dict[str, Any], provider: ProviderName, path: str, keys: SecretKeys) -> Iterator[Found]:
    """Yield the credentials among one app's `settings` for a provider, which stand at `path`."""
    match provider:
        case ProviderName.APPLE:
            yield from _text(settings, "certificate", f"{path}.certificate", keys)
            token_key = settings.get("token_key")
            if isinstance(token_key, dict):
                yield from _text(token_key, "private_key", f"{path}.token_key", keys)
        case ProviderName.FIREBASE:
            yield from _object(settings, "service_account", f"{path}.service_account", keys)
        case _:
            assert_never(provider)


def encrypt(found: Iterable[Found], keys: SecretKeys) -> bool:
    """Have all that can be read stand in its document encrypted with the first key, if there is one.

    Tell whether that changed anything.
    """
    changed = False
    for each in found:
        if keys.names and each.plain is not None and each.form is not Form.ENCRYPTED:
            sealed = keys.seal(each.plain) if isinstance(each.plain, str) else keys.seal_object(each.plain)
            each.holder[each.key] = sealed
            changed = True
    return changed


def decrypt(found: Iterable[Found]) -> bool:
    """Have all that can be read stand in its document plain. Tell whether that changed anything."""
    changed = False
    for each in found:
        if each.plain is not None and each.form is not Form.PLAIN:
            each.holder[each.key] = each.plain
            changed = True
    return changed


def _text(holder: dict[str, Any], key: str, path: str, keys: SecretKeys) -> Iterator[Found]:
    value = holder.get(key)
    if is_sealed(value):
        yield _sealed(holder, key, path, keys)
    # To Kazoo, an empty text is no setting.
    elif isinstance(value, str) and value:
        yield Found(path=path, form=Form.PLAIN, plain=value, holder=holder, key=key)


def _object(holder: dict[str, Any], key: str, path: str, keys: SecretKeys) -> Iterator[Found]:
    value = holder.get(key)
    if is_sealed(value):
        yield _sealed(holder, key, path, keys)
    elif isinstance(value, dict) and value:
        yield Found(path=path, form=Form.PLAIN, plain=value, holder=holder, key=key)


def _sealed(holder: dict[str, Any], key: str, path: str, keys: SecretKeys) -> Found:
    value: str = holder[key]
    unseal = keys.unseal_object if key == "service_account" else keys.unseal
    try:
        plain = unseal(value)
    except CredentialInvalid as error:
        problem = str(error)
        return Found(path=path, form=Form.UNREADABLE, plain=None, problem=problem, holder=holder, key=key)
    form = Form.ENCRYPTED if keys.is_first(value) else Form.OLDER_KEY
    return Found(path=path, form=form, plain=plain, holder=holder, key=key)
