"""Runs the program and has it kill itself at a commit: `dying.py before|after N command …`.

Every commit of every connection counts, from 1, those of the migrations too. `before` is when SQLite is about to
write it, `after` when it is on disk and nobody knows yet.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import apsw

import run
from storage.writing import WriteConnection

WHEN, NUMBER = sys.argv[1], int(sys.argv[2])
done = {"before": 0, "after": 0}


def count(when: str) -> None:
    done[when] += 1
    if when == WHEN and done[when] == NUMBER:
        os.kill(os.getpid(), signal.SIGKILL)


def before() -> bool:
    count("before")
    return False


logged: Any = WriteConnection._logged  # pyright: ignore[reportPrivateUsage]  # SQLite knows but one such hook


def logged_and_counted(self: WriteConnection, *about: Any) -> int:
    count("after")
    return int(logged(self, *about))


def watch(connection: apsw.Connection) -> None:
    connection.set_commit_hook(before)


apsw.connection_hooks.append(watch)
WriteConnection._logged = logged_and_counted  # type: ignore[assignment]  # pyright: ignore
sys.argv = [sys.argv[0], *sys.argv[3:]]

run.main()
