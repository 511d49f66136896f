"""A secret key that must never be shown, Khalti's sandbox as ``responses`` mocks it, and misbehaving servers."""

from collections.abc import Callable, Iterator

import pytest
import responses

from loyalink_khalti.khalti import Khalti, Secret, Transport, close_connections

from .peer import Behaviour, Peer

KEY = "live_secret_key_00000000000040008000000000c0ffee"


@pytest.fixture
def secret() -> Secret:
    return Secret(KEY)


@pytest.fixture
def khalti(secret: Secret) -> Khalti:
    return Khalti(base_url="https://dev.khalti.com/api/v2/", secret=secret)


@pytest.fixture
def sandbox() -> Iterator[responses.RequestsMock]:
    """Khalti's sandbox server; a test adds its answers."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def peer() -> Iterator[Callable[[Behaviour], Peer]]:
    """Start a server on this machine that treats each connection as the test says."""
    peers: list[Peer] = []

    def start(behaviour: Behaviour) -> Peer:
        peers.append(Peer(behaviour))
        return peers[-1]

    yield start
    close_connections()
    for server in peers:
        server.close()


@pytest.fixture
def at(secret: Secret) -> Callable[[Peer], Khalti]:
    """Return a client for a peer that pretends to be Khalti, with a deadline of half a second."""
    return lambda peer: Khalti(base_url=peer.url, secret=secret, transport=Transport(deadline=0.5))
