import sys
from collections.abc import Iterator

import pytest

from tests.telemetry.scraping import Watched


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    watched.start()
    yield watched
    watched.end()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
