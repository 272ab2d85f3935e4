"""`backup` and `restore`, beside a desk and without one; and a desk whose disk is full."""

import shutil
import sys
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.end_to_end.places import RUN, Place, Program, until


def backup(place: Place) -> Path:
    ended = place.run("backup", "--json")
    assert (ended.code, ended.lines) == (0, []), ended
    return Path(ended.json["file"])


@pytest.mark.parametrize("beside", [False, True])
def test_a_backup_is_made_beside_a_desk_and_without_one_and_can_be_put_back(sample: Place, beside: bool) -> None:
    program: Program | None = sample.serve() if beside else None
    before = sample.rows("SELECT account, symbol, amount FROM ledger_entries")
    file = backup(sample)
    (sample.path / "mine.csv").write_text("symbol,quantity,cost\nIBM,10,100\n")
    assert sample.run("import", "mine.csv").code == 0

    if program is not None:
        refused = sample.run("restore", str(file))
        assert refused.code == 1
        assert f"process {program.pid} is already running this desk" in refused.err
        program.send(SIGKILL)
        program.wait()
    changed = sample.rows("SELECT account, symbol, amount FROM ledger_entries")
    ended = sample.run("restore", str(file), "--json")

    assert (ended.code, ended.json["restored"]) == (0, str(file))
    assert sample.rows("SELECT account, symbol, amount FROM ledger_entries") == before != changed
    shutil.copy(ended.json["replaced"], sample.home / "desk.sqlite3")
    assert sample.rows("SELECT account, symbol, amount FROM ledger_entries") == changed


def test_a_restored_desk_runs_and_the_backup_stays_as_it_was(sample: Place) -> None:
    file = backup(sample)
    kept = file.read_bytes()
    assert sample.run("restore", str(file)).code == 0

    sample.once("--again")

    assert file.read_bytes() == kept
    assert {state for (state,) in sample.rows("SELECT state FROM tasks")} == {"done"}


def test_there_is_nothing_to_back_up_where_no_desk_has_run(place: Place) -> None:
    ended = place.run("backup")

    assert ended.code == 1
    assert "no desk has run here yet" in ended.err
    assert not place.home.exists()


def test_what_is_no_backup_is_refused_in_one_line(sample: Place) -> None:
    before = sample.tables("trading_days")
    (sample.path / "mine.csv").write_text("symbol,quantity,cost\n")

    for name in ("mine.csv", "nowhere.sqlite3"):
        ended = sample.run("restore", name)
        (line,) = ended.lines
        assert ended.code == 1
        assert line.startswith("error: ")
        assert name in line
    assert sample.tables("trading_days") == before


def test_on_a_full_disk_a_desk_holds_what_it_is_told_and_goes_on_when_there_is_room(place: Place) -> None:
    own = ("unshare", "--user", "--map-root-user", "--mount")
    probe = place.execute(*own, "mount", "-t", "tmpfs", "none", "/mnt").wait()
    if probe.code != 0:
        pytest.skip(f"no tmpfs can be mounted here: {probe.err.strip()}")
    place.home.mkdir()
    run = f"{sys.executable} {RUN} --home {place.home}"
    program = place.execute(
        *own, "sh", "-c", f"mount -t tmpfs -o size=6m,mode=700 none {place.home} && exec {run} serve"
    )
    until(lambda: program.ended or "Ctrl-C stops it" in program.out, "serve")

    def inside(script: str) -> Program:
        enter = ("nsenter", f"--target={program.pid}", "--user", "--mount", "--preserve-credentials")
        return place.execute(*enter, "sh", "-c", script)

    ballast = place.home / "ballast"
    assert "No space left" in inside(f"cat /dev/zero > {ballast}").wait(20.0).err
    asking = inside(f"exec {run} once --json")
    held = inside(f"until {run} status | grep HALTED; do sleep 0.1; done")

    assert "database or disk is full" in held.wait(60.0).out
    assert inside(f"rm {ballast}").wait(20.0).code == 0
    ended = asking.wait(60.0)
    assert ended.code == 0, ended
    assert len(ended.json["recommendations"]) == 5
    assert not program.ended
