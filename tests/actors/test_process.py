"""A desk in this process."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import process
from actors.kernel.system import StartFailed
from storage.home import Home


def test_a_desk_that_cannot_start_leaves_nothing_that_sends_spans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home := Home(tmp_path / "desk")).path.mkdir(0o700)
    home.settings.write_text('[tracing]\nsample = 1\nexporter = "console"\n')
    home.database.write_bytes(b"this is no database\n" * 1_000)

    def unlogged(*_: object) -> Callable[[], None]:
        return lambda: None

    monkeypatch.setattr(process, "_log_to", unlogged)  # the log stays pytest's
    before = set(threading.enumerate())

    with pytest.raises(StartFailed), process.desk_in(home, serve=False):
        raise AssertionError("it has started")

    assert not [each.name for each in threading.enumerate() if each not in before and each.name.startswith("Otel")]
