"""The README's first command, as a new user types it: a fresh clone, an empty environment, nothing set up."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.places import NOTICE, ROOT
from tests.test_project import files_of_the_project


@pytest.fixture
def clone() -> Iterator[Path]:
    """What a clone would hold, changes that are not committed yet included."""
    with tempfile.TemporaryDirectory(prefix="troupe-") as place:
        for path in files_of_the_project():
            target = Path(place, "troupe", path.relative_to(ROOT))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        yield Path(place, "troupe")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_readmes_first_command_sets_up_and_runs_a_round_in_an_empty_environment(clone: Path) -> None:
    block = re.search(r"```sh\n(.*?)\n", (clone / "README.md").read_text())
    assert block is not None
    home = clone.parent / "home"
    home.mkdir()

    ended = subprocess.run(
        ["env", "-i", f"PATH={os.environ['PATH']}", f"HOME={home}", "sh", "-c", block[1]],
        cwd=clone, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == NOTICE
    assert "Portfolio at the closes of 2013-03-01: 51,104.43 USD" in ended.stdout
    assert (clone / "desk" / "desk.sqlite3").exists()
