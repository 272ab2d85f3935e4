"""A sync of one millisecond, in children of benchmarks."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.benchmarks.measure import Figures
from tests.benchmarks.sync import NO_COMPILER, Plan, compiled, rounds_in_child, seconds_of_a_sync, syncs


def in_child(plan: Plan, place: Path, repeats: int) -> Iterator[Figures]:
    """Writes to a database in the child, so that what SQLite itself calls is seen."""
    connection: Any = apsw.Connection(str(place / "a.sqlite3"))
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
        connection.pragma(*pragma.split(" = "))
    connection.execute("CREATE TABLE a (x)")
    for _ in range(repeats):
        before, began = syncs(), time.perf_counter()
        for each in range(plan["commits"]):
            connection.execute("INSERT INTO a VALUES (?)", (each,))
        yield {"syncs": syncs() - before, "seconds": time.perf_counter() - began, "sync": seconds_of_a_sync(place)}
    connection.close()


COMPILED = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is on the path")


@COMPILED
def test_in_a_child_a_commit_is_a_sync_of_a_millisecond_and_each_is_counted() -> None:
    first, second = rounds_in_child("tests.benchmarks.test_sync", {"commits": 5}, 2)

    assert (first["syncs"], second["syncs"]) == (5, 5)
    assert first["sync"] >= 1e-3
    assert second["seconds"] >= 5e-3


def test_without_a_compiler_it_says_so_and_exits_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        compiled(tmp_path, which=lambda _: None)

    assert ended.value.code == NO_COMPILER == 3
    assert "no C compiler" in capsys.readouterr().err


@COMPILED
def test_a_sync_takes_another_time_where_one_is_asked_for() -> None:
    [figures] = rounds_in_child("tests.benchmarks.test_sync", {"commits": 1}, 1, nanoseconds=5_000_000)

    assert figures["sync"] >= 5e-3


@COMPILED
def test_a_child_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="exit code 1"):
        list(rounds_in_child("tests.benchmarks.test_sync", {}, 1))
