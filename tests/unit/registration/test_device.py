"""Which device a registration is about."""

import pytest

from pusher.errors import MessageInvalid
from pusher.registration.device import Device

ACCOUNT = "0011223344556677889900aabbccddee"


def test_the_database_of_an_account_is_split_as_kazoo_splits_it():
    assert Device.of(ACCOUNT, "d1").database == "account/00/11/223344556677889900aabbccddee"


@pytest.mark.parametrize("ids", [(None, "d1"), (ACCOUNT, None), (None, None)])
def test_without_both_ids_there_is_no_device(ids):
    assert Device.of(*ids) is None


@pytest.mark.parametrize("account_id", ["", "../../system_config", ACCOUNT.upper(), ACCOUNT + "\n", ACCOUNT[:-1]])
def test_an_account_id_that_kazoo_cannot_have_reaches_no_url(account_id):
    with pytest.raises(MessageInvalid, match=r"^Account-ID: "):
        Device.of(account_id, "d1")


@pytest.mark.parametrize("device_id", ["", "a/b", "_design", "a?b", "a b", "a\n", ".", "x" * 129])
def test_a_device_id_that_kazoo_cannot_have_reaches_no_url(device_id):
    with pytest.raises(MessageInvalid, match=r"^Authorizing-ID: "):
        Device.of(ACCOUNT, device_id)
