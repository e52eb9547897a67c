"""For the crash matrix and the storms."""

import os
from collections.abc import Iterator, Sequence

import pytest

from tests.chaos.grounds import Lane, lanes


@pytest.fixture(scope="session")
def two_lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Lane]]:
    """Two processes that play cases, each on its own database and with its own sandbox PSP."""
    with lanes(2, tmp_path_factory.mktemp("lanes"), os.environ) as ready:
        yield ready
