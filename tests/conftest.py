"""A home in a directory of the test's own, and a sample desk that runs in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from storage.home import Home
from tests.desks import StagedDesk

settings.register_profile("troupe", deadline=None, print_blob=True)  # no test asserts a time; how to try it again
settings.load_profile("troupe")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    place = Home(tmp_path / "desk")
    place.take()
    yield place
    place.release()


@pytest.fixture
def desk(home: Home) -> Iterator[StagedDesk]:
    staged = StagedDesk(home).start()
    yield staged
    staged.stop()
