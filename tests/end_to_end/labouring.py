"""Runs the program with a valuation that goes wrong: `labouring.py HOW PLACE command …`; HOW is one of harm.py's.

The job is a worker process's; PLACE is a directory in which it leaves the number of its process.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import run
from actors.workers.jobs import JOBS, Known
from messages.tasks import Run, ValuePortfolio
from tests.actors.workers.harm import behave

HOW, PLACE = sys.argv[1], sys.argv[2]


def load(_known: Known, _run: Run) -> tuple[str, object]:
    """What the job is to do, whatever it was asked."""
    return HOW, PLACE


JOBS[ValuePortfolio] = replace(JOBS[ValuePortfolio], load=load, compute=behave)
sys.argv = [sys.argv[0], *sys.argv[3:]]

if __name__ == "__main__":
    run.main()
