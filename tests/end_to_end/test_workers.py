"""Worker processes die with the desk, and the desk does not die with them."""

import os
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

import pytest

from tests.end_to_end.places import Place, Program, until

LABOURING = Path(__file__).with_name("labouring.py")


def labouring(place: Place, how: str) -> Program:
    """A desk in mid-job."""
    (busy := place.path / "busy").mkdir()
    program = place.start(how, str(busy), "once", "--json", script=LABOURING)
    until(lambda: program.ended or any(busy.iterdir()), "the job")
    [pid] = busy.iterdir()
    assert {program.pid, int(pid.name)} <= set(place.children)
    return program


@pytest.mark.parametrize("how", [pytest.param("hang", marks=pytest.mark.long), "spin"])
def test_a_desk_killed_in_mid_job_leaves_no_process(place: Place, how: str) -> None:
    program = labouring(place, how)

    program.kill()

    until(lambda: not place.children, "end of all processes", 2.0)


@pytest.mark.long
def test_a_desk_told_to_stop_in_mid_job_leaves_no_process_and_the_task_for_the_next_one(place: Place) -> None:
    place.settings("[desk]\ngrace = 1")
    program = labouring(place, "spin")

    program.send(SIGINT)
    ended = program.wait(10.0)

    assert ended.code == 130
    until(lambda: not place.children, "end of all processes", 2.0)
    assert place.rows("SELECT state, attempts FROM tasks WHERE type = 'value_portfolio'") == [("queued", 0)]
    assert place.once()["value"] == "51104.43"


@pytest.mark.long
def test_an_idle_process_killed_from_outside_is_replaced_and_a_desk_that_has_stopped_has_ended_all(
    sample: Place,
) -> None:
    program = sample.serve()
    sample.once("--again")
    [killed] = set(sample.children) - {program.pid}
    os.kill(killed, SIGKILL)

    assert sample.once("--again")["value"] == "51104.43"
    assert len(set(sample.children) - {program.pid, killed}) == 1
    program.send(SIGTERM)
    assert program.wait(10.0).code == 0
    assert not sample.children
