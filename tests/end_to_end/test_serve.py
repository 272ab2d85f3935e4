"""`serve`: what works beside it, and how it ends."""

import os
import re
import shutil
import socket
import stat
import sys
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGSTOP, SIGTERM, Signals
from time import time
from typing import Any
from urllib.request import urlopen

import pytest

from actors.process import RESTARTED_AT
from tests.end_to_end.conftest import Undisturbed
from tests.end_to_end.places import ENDED, NOTICE, RUN, SAMPLE, Ended, Place, Program, until
from tests.test_project import WATCH, post_sentry

DYING = Path(__file__).with_name("dying.py")
CRASHING = Path(__file__).with_name("crashing.py")
INTERRUPTING = Path(__file__).with_name("interrupting.py")
LOGGED = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z |    \| ")
"""How a line of the log begins, and what belongs to one."""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def besides_its_log(ended: Ended) -> list[str]:
    return [line for line in ended.lines if not LOGGED.match(line)]


def test_serve_makes_a_home_and_a_socket_that_only_the_owner_can_reach(place: Place) -> None:
    program = place.serve()

    assert program.out.splitlines()[0] == NOTICE
    assert (mode(place.home), mode(place.home / "control.sock"), mode(place.home / "lock")) == (0o700, 0o600, 0o600)
    assert (place.home / "control.sock").is_socket()


def test_what_it_writes_is_its_owners_alone_in_a_home_that_anyone_may_look_into(place: Place) -> None:
    place.home.mkdir(mode=0o755)
    place.home.chmod(0o755)

    place.serve()

    names = ("desk.sqlite3", "desk.sqlite3-wal", "desk.log", "lock", "control.sock")
    assert {name: mode(place.home / name) for name in names} == dict.fromkeys(names, 0o600)
    assert mode(place.home) == 0o755


def test_a_bare_call_serves(sample: Place) -> None:
    program = sample.start()

    until(lambda: f"runs as process {program.pid};" in program.out, "serve")


def test_a_round_asked_for_beside_it_is_run_by_the_desk_that_serves(place: Place, undisturbed: Undisturbed) -> None:
    program = place.serve()
    lock = (place.home / "lock").read_text()

    report = place.once()

    assert report == undisturbed.report
    assert (place.home / "lock").read_text() == lock == f"{program.pid}\nopen\n"
    assert place.rows("SELECT DISTINCT state, attempts FROM tasks") == [("done", 1)]


@pytest.mark.long
def test_reading_commands_say_the_same_beside_it_and_without_it(sample: Place, undisturbed: Undisturbed) -> None:
    recommendation = undisturbed.report["recommendations"][0]

    def read() -> tuple[Any, Any, Any]:
        ended = [
            sample.run(*command.split(), "--json") for command in ("status", "tasks", f"why {recommendation['id']}")
        ]
        assert [(each.code, each.lines) for each in ended] == [(0, [])] * 3
        status, tasks, why = (each.json for each in ended)
        return status, tasks, why

    program = sample.serve()
    status_beside, *beside = read()
    program.send(SIGTERM)
    program.wait()
    status_alone, *alone = read()

    assert beside == alone
    assert alone[1]["recommendation"] == recommendation
    assert {task["type"] for task in alone[1]["tasks"]} == {"value_portfolio", "facts", "recommendation"}
    assert len(alone[0]["tasks"]) == 16
    assert status_beside["pid"] == program.pid
    assert {actor["state"] for actor in status_beside["actors"]} == {"ready"}
    assert status_beside["health"]["ready"] is True
    assert status_alone == {**status_beside, "pid": None, "actors": [], "health": None}
    assert status_alone["queues"] == [
        {"queue": "analysis", "tasks": {"done": 10}, "paused": False},
        {"queue": "data", "tasks": {"done": 5}, "paused": False},
        {"queue": "portfolio", "tasks": {"done": 1}, "paused": False},
    ]


def test_holdings_imported_beside_it_are_what_it_values(sample: Place) -> None:
    sample.serve()
    (sample.path / "mine.csv").write_text("symbol,quantity,cost\nIBM,10,100\nCASH:USD,500.50,1\n")

    imported = sample.run("import", "mine.csv", "--json")

    assert (imported.code, imported.json) == (0, {"holdings": 1, "cash": "500.50"})
    report = sample.once()
    assert [(each["symbol"], each["value"]) for each in report["positions"]] == [("IBM", "2029.10")]
    assert report["cash"] == "500.5"


def test_what_it_refuses_beside_it_is_one_line_and_changes_nothing(sample: Place) -> None:
    program = sample.serve()
    (sample.path / "mine.csv").write_text("symbol,quantity,cost\nIBM,10,100\nNOPE,1,1\n")
    before = sample.tables("trading_days")

    for command, words in (("import mine.csv", "mine.csv line 3: "), ("serve", f"process {program.pid} ")):
        ended = sample.run(*command.split())
        (line,) = ended.lines
        assert ended.code == 1
        assert line.startswith("error: ")
        assert words in line

    assert sample.tables("trading_days") == before
    assert not program.ended


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_a_signal_drains_and_ends_it_with_no_socket_left(sample: Place, number: Signals) -> None:
    program = sample.serve()

    program.send(number)

    ended = program.wait(5.0)
    assert (ended.code, ended.err) == (0, "")
    assert not (sample.home / "control.sock").exists()
    assert (sample.home / "lock").read_text() == ""


def test_a_second_signal_ends_it_at_once(sample: Place) -> None:
    program = sample.serve()

    program.send(SIGINT)
    program.send(SIGTERM)

    assert program.wait(1.0).code in (128 + SIGINT, 128 + SIGTERM)


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_once_that_is_interrupted_says_that_what_was_committed_is_kept(
    place: Place, undisturbed: Undisturbed, number: Signals
) -> None:
    program = place.start("once", "--json")
    until(lambda: program.ended or NOTICE in program.err, "a desk")

    program.send(number)

    ended = program.wait(10.0)
    if ended.code != 0:  # it may have been done by then
        assert ended.code == 130
        assert ended.lines == ["interrupted; what was committed is kept"]
    assert place.once() == undisturbed.report


@pytest.mark.parametrize("wait", [1, 6, 8, 9, 10, 12])
def test_an_interrupt_while_an_answer_is_awaited_leaves_nobody_hanging(place: Place, wait: int) -> None:
    ended = place.run(str(wait), "once", "--json", script=INTERRUPTING)

    assert ended.code == 130
    assert ended.lines == ["interrupted; what was committed is kept"]


def test_after_a_kill_a_new_one_starts_though_socket_and_lock_were_left(
    sample: Place, undisturbed: Undisturbed
) -> None:
    program = sample.serve()
    program.send(SIGKILL)
    program.wait()
    assert (sample.home / "control.sock").exists()
    assert (sample.home / "lock").read_text() == f"{program.pid}\nopen\n"

    status = sample.run("status", "--json").json
    new = sample.serve()

    assert (status["pid"], status["actors"]) == (None, [])
    assert new.pid != program.pid
    assert sample.once() == undisturbed.report
    assert sample.run("status", "--json").json["pid"] == new.pid


def test_once_beside_a_desk_that_is_killed_meanwhile_ends_with_one_line(sample: Place) -> None:
    serving = sample.serve()
    serving.send(SIGSTOP)
    program = sample.start("once", "--json")
    until(lambda: program.ended or (NOTICE in program.err and has_socket(program)), "connection")

    serving.send(SIGKILL)
    serving.wait()

    ended = program.wait(10.0)
    assert (ended.code, ended.out) == (1, "")
    (line,) = ended.lines
    assert re.match(r"error: .*control\.sock: the desk does not answer", line)


@pytest.mark.long
def test_nothing_that_serves_or_speaks_to_it_opens_a_socket_outside_loopback(
    sample: Place, undisturbed: Undisturbed
) -> None:
    port = free_port()
    sample.environment["TROUPE_METRICS__PORT"] = str(port)
    shutil.copy(SAMPLE / "holdings.csv", sample.path)
    id_ = undisturbed.report["recommendations"][0]["id"]
    sample.environment["PYTHONPATH"] = str(post_sentry(sample.path))
    program = sample.execute(sys.executable, "-c", WATCH, str(RUN), "serve")
    until(lambda: program.ended or "Ctrl-C stops it" in program.out, "serve")

    for command in ("once", "once --again", "import holdings.csv", "status", "tasks", f"why {id_}"):
        beside = sample.execute(sys.executable, "-c", WATCH, str(RUN), *command.split()).wait()
        assert beside.code == 0, beside
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert b"queue_depth" in answer.read()
    program.send(SIGTERM)

    ended = program.wait(10.0)
    assert (ended.code, ended.err) == (0, "")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def has_socket(program: Program) -> bool:
    links = Path(f"/proc/{program.pid}/fd")
    return any(os.readlink(link).startswith("socket:") for link in links.iterdir())


@pytest.mark.long
def test_tasks_left_leased_by_a_killed_once_are_run_without_being_asked(place: Place, undisturbed: Undisturbed) -> None:
    for number in range(7, 20):  # which commit leaves some leased is chance: what comes together is one
        shutil.rmtree(place.home, ignore_errors=True)
        place.run("before", str(number), "once", script=DYING)
        if ("leased",) in place.rows("SELECT state FROM tasks"):
            break
    assert ("leased",) in place.rows("SELECT state FROM tasks")

    place.serve()

    until(lambda: {state for (state,) in place.rows("SELECT DISTINCT state FROM tasks")} <= ENDED, "all tasks")
    assert place.rows("SELECT DISTINCT state FROM tasks") == [("done",)]
    assert place.once() == undisturbed.report


@pytest.mark.long
def test_a_crash_that_stops_the_desk_starts_it_anew_until_that_is_too_often(place: Place) -> None:
    program = place.start("serve", script=CRASHING)

    ended = program.wait(60.0)

    assert ended.code == 1
    assert re.findall(r"runs as process (\d+);", ended.out) == [str(program.pid)] * 6
    *anew, last = lines = besides_its_log(ended)
    assert [re.sub(r".*; ", "", line) for line in anew] == [
        f"starting anew in {s} s" for s in (0.1, 0.2, 0.4, 0.8, 1.6)
    ]
    assert "; started anew 5 times in " in last
    assert last.endswith(" s, giving up")
    assert all(line.startswith("error: tasks crashed: ") for line in lines)


def test_a_signal_in_the_pause_before_it_starts_anew_ends_it(sample: Place) -> None:
    sample.environment[RESTARTED_AT] = " ".join([str(time())] * 4)  # so that the pause is the longest
    program = sample.start("serve", script=CRASHING)
    until(lambda: program.ended or "starting anew in 1.6 s" in program.err, "pause")

    program.send(SIGTERM)

    ended = program.wait(5.0)
    assert ended.code == 0
    assert len(besides_its_log(ended)) == 1
    assert ended.out.count("runs as process") == 1
    assert not (sample.home / "control.sock").exists()


def test_a_second_import_reverses_the_first(sample: Place) -> None:
    ended = sample.run("import", str(SAMPLE / "holdings.csv"), "--json")

    assert (ended.code, ended.lines, ended.json) == (0, [], {"holdings": 5, "cash": "10000"})
    kinds = [kind for (kind,) in sample.rows("SELECT kind FROM ledger_transactions ORDER BY id")]
    assert kinds == ["opening", "reversal", "opening"]
    assert sample.rows("SELECT sum(amount), sum(quantity) FROM ledger_entries") == [(0, 0)]
