"""The one directory of a desk, and its lock."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from storage.home import Home, HomeTaken, HomeUnusable

ROOT = Path(__file__).parents[2]
TAKES = """
import sys, pathlib
from storage.home import Home
home = Home(pathlib.Path(sys.argv[1]))
home.take()
print("taken", flush=True)
sys.stdin.read()
"""


def test_a_new_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "desk")

    home.take()

    assert home.path.stat().st_mode & 0o777 == 0o700
    assert (home.path / "lock").stat().st_mode & 0o777 == 0o600
    home.release()


def test_a_home_that_another_process_has_is_refused_and_that_process_named(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKES, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"

        with pytest.raises(HomeTaken) as refused:
            Home(tmp_path).take()
        other.communicate()

    assert str(refused.value) == (
        f"home {tmp_path}: process {other.pid} is already running this desk; stop it or use it"
    )
    again = Home(tmp_path)
    again.take()
    again.release()


def test_a_home_that_was_released_can_be_taken_again(home: Home) -> None:
    with pytest.raises(HomeTaken, match=str(os.getpid())):
        Home(home.path).take()

    home.release()
    other = Home(home.path)
    other.take()

    other.release()


def test_a_home_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(HomeUnusable) as refused:
        Home(tmp_path / "file" / "desk").take()

    where = re.escape(str(tmp_path / "file" / "desk"))
    assert re.fullmatch(rf"home {where}: cannot be used \(.+\); choose another with --home", str(refused.value))


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "desk").touch()

    with pytest.raises(HomeUnusable, match="cannot be used"):
        Home(tmp_path / "desk").take()


def test_a_home_is_known_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert Home(Path("desk")).database == tmp_path / "desk" / "desk.sqlite3"
