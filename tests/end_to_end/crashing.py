"""Runs the program with a task coordinator that crashes as soon as the desk has started."""

import sys
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import run
from actors import process
from actors.desk import Desk

start = Desk.start


def start_and_crash(self: Desk) -> None:
    start(self)
    self.tasks.tell(cast(Any, "a message that it does not know"))


Desk.start = start_and_crash  # type: ignore[method-assign]
process.RESTARTED_WITHIN = 300.0  # seconds, so that a slow machine makes no difference
run.main()
