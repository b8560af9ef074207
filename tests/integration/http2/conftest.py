"""A peer, a pool that trusts it, and the proof that no thread outlives a test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from pusher.http2.origin import Origin
from pusher.http2.pool import HTTP2Pool
from pusher.trust import client_context
from tests.support.h2_peer import Certificates, H2Peer
from tests.support.until import until


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A server certificate for localhost and 127.0.0.1."""
    return Certificates(tmp_path_factory.mktemp("certificates"), "localhost", "127.0.0.1")


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    until(lambda: set(threading.enumerate()) <= before, seconds=5, what="all threads ended")


@pytest.fixture
def serve(no_thread_left: None, certificates: Certificates) -> Iterator[Callable[..., H2Peer]]:
    """Start peers that are closed after the test."""
    with ExitStack() as stack:
        yield lambda **script: stack.enter_context(H2Peer(certificates, **script))


@pytest.fixture
def connect(no_thread_left: None, certificates: Certificates) -> Iterator[Callable[..., HTTP2Pool]]:
    """Make pools that are closed after the test."""
    with ExitStack() as stack:

        def make(peer: H2Peer, *, host: str = "localhost", proxy_url: str | None = None) -> HTTP2Pool:
            context = client_context(str(certificates.ca_file))
            pool = HTTP2Pool(Origin(host=host, port=peer.port), context, proxy_url=proxy_url)
            stack.callback(pool.close)
            return pool

        yield make
