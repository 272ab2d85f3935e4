"""What was typed about real money is kept whole, for its owner alone; rubbish in its place is no confirmation."""

import pytest

from storage import confirmations
from storage.home import Home


@pytest.fixture
def home(home: Home) -> Home:
    home.path.mkdir(exist_ok=True)
    return home


def test_it_is_kept_and_its_owner_alone_can_read_it(home: Home) -> None:
    assert confirmations.current(home) is None

    confirmations.keep(home, "first", "1")
    confirmations.keep(home, "second", "2")

    assert confirmations.current(home) == ("second", "2")
    assert confirmations.path(home).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in home.path.glob("real-money*")] == ["real-money.json"]


@pytest.mark.parametrize("written", [b"", b"null", b"[]", b"{}", b'{"text": 1}', b"\xff", b"x" * 20_000, b"["])
def test_rubbish_is_there_and_is_no_confirmation(home: Home, written: bytes) -> None:
    confirmations.path(home).write_bytes(written)

    assert confirmations.current(home) == ("", "")
