"""A place for each test, and a desk that has run a round, to be copied."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.places import Place


@dataclass(frozen=True)
class Undisturbed:
    """A sample desk that nothing has happened to: its home, and the report of its one round."""

    home: Path
    report: Any


@pytest.fixture
def places() -> Iterator[Callable[[], Place]]:
    """Makes places, as many as a test wants."""
    with ExitStack() as made:

        def make() -> Place:
            place = Place(Path(made.enter_context(tempfile.TemporaryDirectory(prefix="troupe-"))))
            made.callback(place.close)
            return place

        yield make


@pytest.fixture
def place(places: Callable[[], Place]) -> Place:
    return places()


@pytest.fixture(scope="session")
def undisturbed() -> Iterator[Undisturbed]:
    with tempfile.TemporaryDirectory(prefix="troupe-") as path:
        place = Place(Path(path))
        yield Undisturbed(place.home, place.once())
        place.close()


@pytest.fixture
def sample(place: Place, undisturbed: Undisturbed) -> Place:
    """A place whose home has a round on sample prices."""
    place.copy_home(undisturbed.home)
    return place
