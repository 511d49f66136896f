"""A key that must never be seen, Khalti's sandbox as `responses` plays it, and peers that misbehave on sockets."""

from collections.abc import Callable, Iterator

import pytest
import responses

from loyalink_khalti.khalti import Khalti, Secret, Transport, hang_up

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
    """Khalti's sandbox server: what a test adds is what it answers."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def peer() -> Iterator[Callable[[Behaviour], Peer]]:
    """Start a server on this machine that does to each connection what the test says."""
    peers: list[Peer] = []

    def start(behaviour: Behaviour) -> Peer:
        peers.append(Peer(behaviour))
        return peers[-1]

    yield start
    hang_up()
    for one in peers:
        one.close()


@pytest.fixture
def at(secret: Secret) -> Callable[[Peer], Khalti]:
    """Give the Khalti that a peer pretends to be, asked with half a second of patience."""
    return lambda peer: Khalti(base_url=peer.url, secret=secret, transport=Transport(deadline=0.5))
