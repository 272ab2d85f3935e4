"""The one connection that writes, and one that reads, on a new database of a home."""

from collections.abc import Iterator

import pytest

from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from storage.writing import WriteConnection

FIXED = {"price_source": "sample", "currency": "USD"}


@pytest.fixture
def connection(home: Home) -> Iterator[WriteConnection]:
    opened = open_for_writing(home, FIXED, 0)
    yield opened
    opened.close()


@pytest.fixture
def read(connection: WriteConnection) -> Reader:
    return Reader(connection.path)
