"""pytest fixtures for shops that plug in, and for this package's own tests."""

from collections.abc import Iterator

import pytest

from loyalink_khalti.simulator import Simulator


@pytest.fixture
def khalti_simulator() -> Iterator[Simulator]:
    """Khalti in miniature, listening on a port of its own for the length of one test."""
    with Simulator() as simulator:
        yield simulator
