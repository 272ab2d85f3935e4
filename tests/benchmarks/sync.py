"""Writes are measured where a sync takes a fixed time, a millisecond unless another is asked for: in a child with
sync.c preloaded, in memory.

How long a disk takes to sync swings fifteenfold from minute to minute on a shared machine. A benchmark has its
`rounds` call `rounds_in_child("tests.benchmarks.writer", {...})`; the child calls that module's
`in_child(plan, place, repeats)`, whose figures come back one round at a time. `place` is a directory of its own, in
memory where there is /dev/shm.
"""

import ctypes
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.measure import Figures

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(__file__).with_name("sync.c")
MEMORY: Final = Path("/dev/shm")
MILLISECOND: Final = 1_000_000
"""In nanoseconds."""
NO_COMPILER: Final = 3
"""The exit code of a benchmark that cannot have the time of a sync fixed."""
Plan = Mapping[str, Any]
InChild = Callable[[Plan, Path, int], Iterator[Figures]]


def compiled(where: Path, which: Callable[[str], str | None] = shutil.which, *, nanoseconds: int = MILLISECOND) -> Path:
    """The library, compiled there. Without a compiler it says so and exits with 3."""
    compiler = which("cc") or which("gcc") or which("clang")
    if compiler is None:
        print(
            "error: no C compiler (cc, gcc or clang) is on the path, so the time of a sync cannot be fixed and no "
            "write can be compared; install one, such as build-essential",
            file=sys.stderr,
        )
        raise SystemExit(NO_COMPILER)
    library = where / "sync.so"
    takes = f"-DNANOSECONDS={nanoseconds}"
    subprocess.run([compiler, "-O2", "-Wall", "-shared", "-fPIC", takes, "-o", library, SOURCE], check=True)
    return library


def rounds_in_child(
    module: str, plan: Plan, repeats: int, *, within: float = 1_800.0, nanoseconds: int = MILLISECOND
) -> Iterator[Figures]:
    """Run `module.in_child(plan, place, repeats)` in a child process; its figures, as they come.

    `within` is how many seconds the child may live, so that one that hangs is ended, `nanoseconds` what a sync takes.
    """
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="troupe-benchmark-", dir=memory) as directory:
        place = Path(directory)
        environ = os.environ | {"LD_PRELOAD": str(compiled(place, nanoseconds=nanoseconds))}
        begin = "from tests.benchmarks.sync import child; child()"
        about = {"plan": dict(plan), "place": directory, "repeats": repeats, "nanoseconds": nanoseconds}
        told = json.dumps({"module": module, **about})
        command = ["timeout", "--signal=KILL", str(within), sys.executable, "-c", begin, told]
        with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    yield json.loads(line)
            finally:
                if process.poll() is None:
                    process.terminate()  # `timeout` hands it on
        if process.returncode:
            raise SystemExit(f"{module}: its child ended with exit code {process.returncode}")


def child() -> None:
    """In the child: see that a sync takes what it is to take, and run."""
    told = json.loads(sys.argv[1])
    place = Path(told["place"])
    if not (took := seconds_of_a_sync(place)) >= told["nanoseconds"] / 1e9:
        raise SystemExit(f"a sync takes {took * 1e3:.3f} ms, so sync.c is not preloaded")
    in_child: InChild = importlib.import_module(told["module"]).in_child
    sys.setswitchinterval(5e-4)  # as run.py does
    for figures in in_child(told["plan"], place, told["repeats"]):
        print(json.dumps(dict(figures)), flush=True)


def seconds_of_a_sync(place: Path) -> float:
    """How long a sync takes here, at best of ten."""
    with tempfile.TemporaryFile(dir=place) as file:
        return min(_timed(file.fileno()) for _ in range(10))


def _timed(descriptor: int) -> float:
    began = time.perf_counter()
    os.fsync(descriptor)
    return time.perf_counter() - began


def syncs() -> int:
    """How many there were in this process so far; in a child only."""
    count: int = ctypes.CDLL(None).troupe_syncs()
    return count
