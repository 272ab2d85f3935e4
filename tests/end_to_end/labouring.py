"""Runs the program with a valuation that goes wrong: `labouring.py HOW PLACE command …`, see tests/actors/workers/harm.py.

The job is a worker process's; PLACE is a directory in which it leaves the number of its process.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import run
from actors.workers.jobs import JOBS
from messages.tasks import ValuePortfolio
from tests.actors.workers.harm import behave

HOW, PLACE = sys.argv[1], sys.argv[2]
JOBS[ValuePortfolio] = replace(JOBS[ValuePortfolio], load=lambda *_: (HOW, PLACE), compute=behave)
sys.argv = [sys.argv[0], *sys.argv[3:]]

if __name__ == "__main__":
    run.main()
