"""Token-Type to push service."""

import pytest

from pusher.push.app import ProviderName
from pusher.push.routing import provider_of


@pytest.mark.parametrize(
    ("token_type", "provider"),
    [
        ("apple", ProviderName.APPLE),
        ("apns", ProviderName.APPLE),
        ("APNS", ProviderName.APPLE),
        ("firebase", ProviderName.FIREBASE),
        ("fcm", ProviderName.FIREBASE),
        ("google", ProviderName.FIREBASE),
        ("Android", ProviderName.FIREBASE),
        ("huawei", None),
        ("", None),
    ],
)
def test_every_name_of_a_push_service_is_known_and_no_other(token_type, provider):
    assert provider_of(token_type) is provider
