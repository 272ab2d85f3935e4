"""A worker process: what a job does to it harms that job alone."""

import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock, Thread, get_native_id

import msgspec
import pytest

from actors.workers import processes
from actors.workers.places import STANDING_BACK, Done, Failed, Here, Outcome, Place
from actors.workers.processes import Process
from tests.actors.workers.harm import behave, too_few
from tests.end_to_end.places import until

Wanted = Sequence[tuple[str, object]]


@pytest.fixture
def process() -> Iterator[Process]:
    place = Process(400 * 2**20)
    yield place
    place.close()


def never(_: int) -> bool:
    return False


def outcomes(place: Place, wanted: Wanted, given_up: Callable[[int], bool] = never) -> dict[int, Outcome]:
    """What came of each; nothing may come twice."""
    told = list(place.compute(behave, wanted, given_up))
    assert len(told) == len(dict(told))
    return dict(told)


def only(place: Place, how: str, what: object = None) -> object:
    """The value of a job that ends well."""
    [outcome] = outcomes(place, [(how, what)]).values()
    assert isinstance(outcome, Done), outcome
    return outcome.value


def words(place: Place, how: str) -> list[str]:
    """The value of a job that says several words."""
    return msgspec.convert(only(place, how), list[str])


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False


def test_a_chunk_is_done_in_one_other_process_in_order(process: Process) -> None:
    told = list(process.compute(behave, [("double", 1), ("pid", None), ("double", 3), ("pid", None)], never))

    pid = only(process, "pid")
    assert told == [(0, Done(2)), (1, Done(pid)), (2, Done(6)), (3, Done(pid))]
    assert pid != os.getpid()


def test_a_fresh_process_holds_neither_actors_nor_the_database_nor_claude_nor_the_desks_main_module(
    process: Process,
) -> None:
    modules = set(words(process, "modules"))

    assert modules.isdisjoint({"pykka", "apsw", "storage", "claude_agent_sdk", "numpy", "pytest", "__mp_main__"})
    assert {"tests", "messages"} <= modules


def test_a_process_gets_no_secret_and_nothing_to_read(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not a key")
    monkeypatch.setenv("TROUPE_METRICS__PORT", "0")

    read, *names = words(process, "world")

    assert set(names) <= {*processes.PASSED, *processes.ONE_THREAD, "LC_CTYPE"}
    assert read == ""


HARM = {
    "raise": ("crashed", r"ZeroDivisionError\('x'\)"),
    "leave": ("crashed", r"SystemExit\(3\)"),
    "exit": ("crashed", r"tests\.actors\.workers\.harm\.behave: its process ended by itself \(exit code 3\)"),
    "die": ("crashed", r"tests\.actors\.workers\.harm\.behave: its process ended by itself \(SIGKILL\)"),
    "eat": ("crashed", r"MemoryError\(\)"),
    "lock": ("invalid", r"its result cannot be sent back \(TypeError\(.*lock"),
}


@pytest.mark.parametrize("how", HARM)
@pytest.mark.parametrize("place", [0, 2])
def test_a_job_that_harms_its_process_fails_alone_and_the_rest_of_its_chunk_ends_well(
    process: Process, how: str, place: int
) -> None:
    wanted: list[tuple[str, object]] = [("double", number) for number in range(3)]
    wanted.insert(place, (how, "x"))

    told = outcomes(process, wanted)

    failed = told.pop(place)
    code, why = HARM[how]
    assert isinstance(failed, Failed)
    assert failed.code == code
    assert re.search(why, failed.why), failed.why
    assert list(told.values()) == [Done(0), Done(2), Done(4)]


def test_an_error_comes_with_the_stack_of_the_process(process: Process) -> None:
    [failed] = outcomes(process, [("raise", "x")]).values()

    assert isinstance(failed, Failed)
    assert "in _one" in failed.stack


def test_an_input_that_cannot_be_sent_fails_alone_and_is_named(process: Process) -> None:
    told = outcomes(process, [("double", 1), ("double", Lock()), ("double", 2)])

    assert (told[0], told[2]) == (Done(2), Done(4))
    assert isinstance(told[1], Failed)
    assert told[1].code == "invalid"
    assert told[1].why.startswith("tests.actors.workers.harm.behave and its input cannot be sent to a process (TypeErr")


def test_a_function_that_a_process_cannot_import_fails_and_is_named(process: Process) -> None:
    [(_, failed)] = process.compute(lambda wanted: wanted[:], [1], never)

    assert isinstance(failed, Failed)
    assert failed.code == "invalid"
    assert "<lambda>" in failed.why


@pytest.mark.parametrize("how", ["hang", "spin"])
def test_a_job_that_hangs_comes_last_and_is_ended_when_nobody_waits_for_it_any_more(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    told = dict[int, Outcome]()

    def given_up(number: int) -> bool:  # when the other two are done and it runs again
        return number == 0 and len(told) == 2 and any(tmp_path.iterdir())

    for number, outcome in process.compute(behave, [(how, str(tmp_path)), ("double", 1), ("double", 2)], given_up):
        told[number] = outcome

    assert told == {1: Done(2), 2: Done(4)}
    assert not any(alive(int(path.name)) for path in tmp_path.iterdir())
    assert only(process, "double", 4) == 8


def test_what_was_given_up_before_it_began_is_not_begun(process: Process) -> None:
    told = outcomes(process, [("double", 1), ("die", None)], lambda number: number == 1)

    assert told == {0: Done(2)}


def test_of_work_that_takes_its_time_at_most_half_is_done_twice(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.1)
    tries = tmp_path / "tries"
    only(process, "pid")

    told = outcomes(process, [("take", str(tries)), ("take", str(tries))])

    assert told == {0: Done("took"), 1: Done("took")}
    assert 3 <= len(tries.read_text()) <= 6  # the first makes way, and on a slow machine once more or twice


def test_a_process_that_is_killed_while_idle_is_nobodys_fault(process: Process) -> None:
    pid = only(process, "pid")
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), "end of the process")

    assert only(process, "double", 1) == 2


def test_a_process_is_replaced_after_so_many_jobs(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "RECYCLED", 4)

    pids = [only(process, "pid") for _ in range(8)]

    assert pids == [pids[0]] * 4 + [pids[4]] * 4
    assert pids[0] != pids[4]
    assert isinstance(pids[0], int)
    assert not alive(pids[0])


def test_a_process_that_has_grown_is_replaced() -> None:
    process = Process(100 * 2**20)

    grown, next_one = only(process, "grow"), only(process, "pid")
    process.close()

    assert grown != next_one


def test_a_process_dies_with_the_thread_that_uses_it() -> None:
    pids = list[object]()
    process = Process(2**30)

    thread = Thread(target=lambda: pids.append(only(process, "pid")))
    thread.start()
    thread.join()

    [pid] = pids
    assert isinstance(pid, int)
    until(lambda: not alive(pid), "end of the process", 2.0)
    process.close()


def test_where_no_process_can_be_started_no_job_is_at_fault_and_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(2**30)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        told = outcomes(process, [("double", 1), ("double", 2)])

    assert [each.code for each in told.values() if isinstance(each, Failed)] == ["down"] * 2
    assert all("no process can be started here" in each.why for each in told.values() if isinstance(each, Failed))
    assert outcomes(process, [("double", 1)]) == {0: Done(2)}
    process.close()


def test_where_there_are_too_many_open_files_no_job_is_at_fault(process: Process) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        told = outcomes(process, [("double", 1), ("double", 2)])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert [each.code for each in told.values() if isinstance(each, Failed)] == ["down"] * 2
    assert only(process, "double", 1) == 2


def test_in_a_thread_a_chunk_is_computed_at_once_and_after_a_failure_one_by_one() -> None:
    calls = list[int]()

    def compute(wanted: Sequence[int]) -> list[float]:
        calls.append(len(wanted))
        return [12 / one for one in wanted]

    good, bad = dict(Here().compute(compute, [1, 2, 3], never)), dict(Here().compute(compute, [1, 0, 3], never))

    assert good == {0: Done(12), 1: Done(6), 2: Done(4)}
    assert (bad[0], bad[2]) == (Done(12), Done(4))
    assert isinstance(bad[1], Failed)
    assert (bad[1].code, bad[1].why) == ("crashed", "ZeroDivisionError('division by zero')")
    assert calls == [3, 3, 1, 1, 1]


def test_in_a_thread_what_was_given_up_is_not_computed_together_nor_one_by_one() -> None:
    calls, late = list[list[int]](), {1}

    def compute(wanted: Sequence[int]) -> list[float]:
        calls.append(list(wanted))
        late.add(3)  # while the chunk is computed that fails
        return [12 / one for one in wanted]

    first = dict(Here().compute(compute, [1, 2, 3, 0], late.__contains__))
    second = dict(Here().compute(compute, [1, 2, 0, 3], late.__contains__))
    third = dict(Here().compute(compute, [5], lambda _: True))

    assert calls == [[1, 3, 0], [1], [3], [1, 0], [1], [0]]
    assert first == {0: Done(12), 2: Done(4)}
    assert (second[0], type(second[2]), len(second)) == (Done(12), Failed, 2)
    assert third == {}


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a priority of its own on Linux alone")
def test_a_thread_that_computes_stands_back_behind_all_others() -> None:
    priorities = list[int]()

    def look(wanted: Sequence[int]) -> Sequence[int]:
        priorities.append(os.getpriority(os.PRIO_PROCESS, get_native_id()))
        return wanted

    place, before = Here(), os.getpriority(os.PRIO_PROCESS, 0)
    thread = Thread(target=lambda: [list(place.compute(look, [1], never)) for _ in range(2)])
    thread.start()
    thread.join()

    assert priorities == [STANDING_BACK, STANDING_BACK]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_a_function_that_makes_too_few_values_is_named(process: Process) -> None:
    for place in (Here(), process):
        [(_, failed)] = place.compute(too_few, [1], never)
        assert isinstance(failed, Failed)
        assert "made 0 values of 1 inputs" in failed.why
