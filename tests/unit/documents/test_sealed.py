"""The encrypted form: what comes back, what does not, and what is said without quoting anything."""

import base64

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from pusher.documents.sealed import NO_KEYS, SecretKeys, is_sealed, make_key, name_of
from pusher.errors import CredentialInvalid
from pusher.settings import Settings

OLD, NEW, LOST = make_key(), make_key(), make_key()
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"
KEYS = SecretKeys((NEW, OLD))


def problem(keys: SecretKeys, value: str) -> str:
    """Return why `value` cannot be decrypted, checked for what must not be in it."""
    with pytest.raises(CredentialInvalid) as refused:
        keys.unseal(value)
    said = str(refused.value)
    assert len(value) < 40 or value[17:40] not in said
    assert not [key for key in (OLD, NEW, LOST) if key in said]
    return said


@given(st.text(st.characters()))
def test_any_text_comes_back_and_stands_nowhere(text: str) -> None:
    sealed = KEYS.seal(text)
    assert is_sealed(sealed)
    assert KEYS.unseal(sealed) == text


def test_an_object_comes_back_in_its_order_with_all_that_is_no_text() -> None:
    account = {"z": "Zoë", "a": [1, 2.5, None, {"y": True, "b": {}}], "private_key": PEM, "odd": "\ud83d"}
    sealed = KEYS.seal_object(account)
    assert isinstance(sealed, str)
    assert list(KEYS.unseal_object(sealed).items()) == list(account.items())


def test_the_form_names_its_key_and_holds_a_token_that_any_fernet_reads() -> None:
    form, name, token = KEYS.seal(PEM).split(":")
    assert (form, name) == ("fernet", name_of(NEW))
    assert Fernet(NEW).decrypt(token).decode() == PEM


def test_the_same_text_is_never_encrypted_to_the_same() -> None:
    assert KEYS.seal(PEM) != KEYS.seal(PEM)


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    before, after = SecretKeys((OLD,)).seal(PEM), KEYS.seal(PEM)
    assert (KEYS.is_first(before), KEYS.is_first(after)) == (False, True)
    assert KEYS.unseal(before) == KEYS.unseal(after) == PEM
    assert "not in PUSHER_SECRET_KEY" in problem(SecretKeys((OLD,)), after)
    assert KEYS.names == (name_of(NEW), name_of(OLD))


def test_a_plain_text_is_left_as_it_is() -> None:
    assert KEYS.unseal(PEM) == NO_KEYS.unseal(PEM) == PEM


def test_without_a_key_nothing_is_encrypted() -> None:
    assert NO_KEYS.seal(PEM) == PEM
    assert NO_KEYS.seal_object({"private_key": PEM}) == {"private_key": PEM}
    assert not NO_KEYS.is_first(KEYS.seal(PEM))


def test_the_key_that_is_missing_is_named() -> None:
    sealed = SecretKeys((LOST,)).seal(PEM)
    name = name_of(LOST)
    assert problem(KEYS, sealed) == f"it is encrypted with key #{name}, which is not in PUSHER_SECRET_KEY"
    assert problem(NO_KEYS, sealed) == f"it is encrypted with key #{name}, and PUSHER_SECRET_KEY is not set"


@given(position=st.integers(0, 120), flip=st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_damaged(position: int, flip: int) -> None:
    head, _, token = KEYS.seal(PEM).rpartition(":")
    data = bytearray(base64.urlsafe_b64decode(token))
    data[position] ^= flip
    assert problem(KEYS, f"{head}:{base64.urlsafe_b64encode(data).decode()}").startswith(
        "its encrypted form is damaged"
    )


@given(st.integers(1, 200))
def test_a_value_that_was_cut_short_is_damaged(length: int) -> None:
    sealed = KEYS.seal(PEM)
    assert problem(KEYS, sealed[: -min(length, len(sealed) - 7)]).startswith("its encrypted form is damaged")


@pytest.mark.parametrize("rest", ["", "gAAAA", ":", "0123456789:", "é:x", "0123456789:\n", "0123456789:gAAAA gAAAA"])
def test_what_only_begins_like_the_form_is_damaged(rest: str) -> None:
    assert problem(KEYS, f"fernet:{rest}") == "its encrypted form is damaged: add it again"


@pytest.mark.parametrize("text", ["[]", "7", "{", "", "[" * 100_000])
def test_an_object_that_is_none_is_damaged(text: str) -> None:
    with pytest.raises(CredentialInvalid, match="damaged"):
        KEYS.unseal_object(KEYS.seal(text))


def test_bytes_that_are_no_text_are_damaged() -> None:
    token = Fernet(NEW).encrypt(b"\xff\xfe").decode()
    assert "damaged" in problem(KEYS, f"fernet:{name_of(NEW)}:{token}")


def test_a_new_key_is_one_that_the_settings_take_and_no_repr_shows_it() -> None:
    key = make_key()
    settings = Settings.from_environment({"PUSHER_SECRET_KEY": key})
    assert settings.secret_keys == (key,)
    assert key not in repr(settings) + repr(SecretKeys(settings.secret_keys))
