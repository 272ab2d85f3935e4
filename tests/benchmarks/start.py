"""How long a person waits, and how much memory it takes: the commands as they are typed, each in a new process."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measure import Benchmark, Figures

ROOT = Path(__file__).parents[2]


def timed(*arguments: str) -> tuple[float, float]:
    """Seconds from start to exit, and the peak of its memory in MB."""
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "run.py", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise SystemExit(f"run.py {' '.join(arguments)}: exit code {process.returncode}\n{errors.read().decode()}")
    # Linux counts in kB and starts from the parent's memory, which is far less; macOS counts in bytes.
    return seconds, used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def rounds(repeats: int) -> Iterator[Figures]:
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as directory:
            once, megabytes = timed("once", "--home", f"{directory}/desk")
        shown, _ = timed("--help")
        yield {"once_s": once, "once_mb": megabytes, "help_s": shown}


START = Benchmark(
    "`run.py once` on the sample desk in a new home, and `run.py --help`, from process start to exit",
    {"once_s": "3 or less, seconds", "once_mb": "150 or less, MB at the peak", "help_s": "0.4 or less, seconds"},
    rounds,
    repeats=7,
)
