"""The connection's window is opened again in time, and its sum is right."""

import pytest
from h2.errors import ErrorCodes

from pusher.http2.frames import PeerError
from pusher.http2.receive_window import ReceiveWindow


def test_what_was_spent_is_given_back_at_a_quarter() -> None:
    window = ReceiveWindow(1000)
    assert [window.spend(size) for size in (100, 149, 0, 1, 249, 600)] == [0, 0, 0, 250, 0, 849]


def test_a_peer_may_spend_the_window_and_no_more() -> None:
    assert ReceiveWindow(1000).spend(1000) == 1000
    with pytest.raises(PeerError) as caught:
        ReceiveWindow(1000).spend(1001)
    assert caught.value.code == ErrorCodes.FLOW_CONTROL_ERROR
    window = ReceiveWindow(1000)
    window.spend(249)
    with pytest.raises(PeerError):
        window.spend(752)
