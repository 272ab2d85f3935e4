"""Runs the program and has it kill itself at a commit: `dying.py before|after N command …`.

Every commit of every connection counts, from 1, those of the migrations too. `before` is when SQLite is about to
write it, `after` when it is on disk and nobody knows yet.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import apsw

import run

WHEN, NUMBER = sys.argv[1], int(sys.argv[2])
done = {"before": 0, "after": 0}


def count(when: str) -> None:
    done[when] += 1
    if when == WHEN and done[when] == NUMBER:
        os.kill(os.getpid(), signal.SIGKILL)


def before() -> bool:
    count("before")
    return False


def after(connection: apsw.Connection, name: str, pages: int) -> int:
    count("after")
    return apsw.SQLITE_OK


def watch(connection: apsw.Connection) -> None:
    connection.set_commit_hook(before)
    connection.set_wal_hook(after)


apsw.connection_hooks.append(watch)
sys.argv = [sys.argv[0], *sys.argv[3:]]

run.main()
