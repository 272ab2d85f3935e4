from collections.abc import Iterator

import pykka
import pytest

from tests.actors.kernel.counter import trace


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    trace.set("none")
    yield
    assert not pykka.ActorRegistry.get_all()
