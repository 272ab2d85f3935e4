"""What the two children of the benchmark `gateway` have in common: how they are run, and how they are looked at."""

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.claude_safely import environment, require_loopback

ROOT: Final = Path(__file__).parents[2]
PROC: Final = Path("/proc")
GONE_WITHIN: Final = 2.0
"""Seconds in which a program that was killed has to be gone."""
Json = dict[str, Any]


@contextmanager
def place() -> Generator[Path]:
    """A throw-away directory, by which all processes of one run are known."""
    with tempfile.TemporaryDirectory(prefix="troupe-benchmark-", ignore_cleanup_errors=True) as directory:
        Path(directory, "tmp").mkdir()
        yield Path(directory)


def child(module: str, plan: Json, address: str, where: Path, within: float) -> Json:
    """Run it in a process of its own that knows no address but the stub's; what it reports."""
    environ = environment(address, where) | {"TMPDIR": str(where / "tmp")}
    begin = f"from tests.benchmarks.{module} import main; main()"  # not -m: it would be loaded twice
    command = [sys.executable, "-c", begin, json.dumps(plan | {"place": str(where)})]
    with tempfile.TemporaryFile("w+") as errors:
        try:
            ended = subprocess.run(
                command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=errors, timeout=within, check=False
            )
            why = f"exit code {ended.returncode}" if ended.returncode else ""
        except subprocess.TimeoutExpired as error:
            ended, why = subprocess.CompletedProcess(command, -1, error.stdout or b""), f"still busy after {within:g} s"
        errors.seek(0)
        said = errors.read()
    if why:
        raise SystemExit(f"{module} {plan.get('work', '')}: {why}\n{said}")
    sys.stderr.write(said)
    report: Json = json.loads(ended.stdout)
    return report


def told() -> Json:
    """What a child is to do; it refuses to, where Claude would be asked anywhere but on this machine."""
    require_loopback(os.environ)
    plan: Json = json.loads(sys.argv[1])
    return plan


def resident() -> float:
    """Memory of this process in MB, without that of its children; where there is no /proc, its peak."""
    gc.collect()
    try:
        status = (PROC / "self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts in bytes
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def programs(where: Path) -> list[int]:
    """The Claude programs alive whose home this is, whoever their parent is by now; needs /proc."""
    home, found = f"HOME={where}".encode(), list[int]()
    for each in PROC.glob("[0-9]*"):
        try:
            environ, command = (each / "environ").read_bytes(), (each / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended, or is somebody else's
        if home in environ.split(b"\0") and not Path(os.fsdecode(command.split(b"\0")[0])).name.startswith("python"):
            found.append(int(each.name))
    return found


def soon(holds: Callable[[], bool], within: float = GONE_WITHIN) -> bool:
    """Whether this has come true in time."""
    until = time.monotonic() + within
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
