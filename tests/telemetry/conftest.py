from collections.abc import Iterator

import pytest

from tests.telemetry.scraping import Watched


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    watched.start()
    yield watched
    watched.end()
