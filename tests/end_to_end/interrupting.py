"""Runs the program and has it interrupt itself while it holds the locks of futures: `interrupting.py N command …`.

That is the worst moment: an exception raised there would leave with the locks, and whoever answers would wait for
ever. It is the N-th time that the program begins to wait for an answer.
"""

import os
import signal
import sys
from concurrent import futures
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import run

NUMBER = int(sys.argv[1])
waits = count(1)
base: Any = futures._base  # pyright: ignore
enter = base._AcquireFutures.__enter__


def enter_and_interrupt(self: Any) -> None:
    enter(self)
    if next(waits) == NUMBER:
        os.kill(os.getpid(), signal.SIGTERM)


base._AcquireFutures.__enter__ = enter_and_interrupt
sys.argv = [sys.argv[0], *sys.argv[2:]]

run.main()
