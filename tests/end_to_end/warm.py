"""Programs that begin warm: forked from an interpreter that has imported all of ours, so that none imports it again.

What is run is the same script from its first line, with its own arguments, environment, directory and session; what is
saved is half a second for each, and two where Claude or Alpaca is spoken to. A program whose environment speaks to the
interpreter itself begins cold, and so does whatever is executed by its name; tests of the README do that.
"""

import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Any, Final, NoReturn

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("actors", "messages", "storage", "telemetry")
OTHERS: Final = (
    "claude_agent_sdk", "alpaca.trading.client", "alpaca.trading.stream", "pydantic_settings", "rich.console",
    "rich.table", "rich.progress", "uvicorn", "run",
)  # fmt: skip
"""What ours imports only where it is used."""
TO_THE_INTERPRETER: Final = ("PYTHON", "LD_", "OPENBLAS_", "OMP_")
MOST: Final = 1 << 20
"""Bytes of one request."""
TURN: Final = 0.05
"""Seconds that one who waits for an end keeps others from hearing of theirs."""


def can(environment: Mapping[str, str]) -> bool:
    """Whether a program with this environment may begin warm."""
    return not any(name.startswith(TO_THE_INTERPRETER) for name in environment)


class Fork:
    """A program that was forked; the same shape as a `subprocess.Popen`, as far as it is needed."""

    def __init__(self, stove: "Stove", pid: int) -> None:
        self._stove, self.pid = stove, pid

    def poll(self) -> int | None:
        """Its exit code, below zero the signal that has ended it; None while it runs."""
        return self._stove.ended(self.pid, 0.0)

    def wait(self, timeout: float) -> int:
        """The same, when it has ended. Raises subprocess.TimeoutExpired."""
        if (code := self._stove.ended(self.pid, timeout)) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def kill(self) -> None:
        """End it if it runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Stove:
    """Speaks to the interpreter that forks. That one ends with this process, when its end of the socket is closed."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import keep_warm; keep_warm()", str(theirs.fileno())],
            cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),),
        )  # fmt: skip
        theirs.close()
        self._codes, self._lock = dict[int, int](), RLock()

    def fork(self, command: list[str], place: Path, environment: dict[str, str], files: tuple[int, int, int]) -> Fork:
        """Start this script with these arguments there."""
        told = json.dumps({"command": command, "place": str(place), "environment": environment}).encode()
        with self._lock:
            socket.send_fds(self._ours, [told], files)
            while True:
                said = self._hear(60.0)
                assert said is not None, "nothing was forked"
                if "pid" in said:
                    return Fork(self, said["pid"])
                self._note(said)

    def ended(self, pid: int, within: float) -> int | None:
        """The exit code of a program, if it ends within so many seconds."""
        until = monotonic() + within
        while True:
            with self._lock:  # a turn of each who waits, of which there may be several
                if pid not in self._codes and (said := self._hear(max(0.0, min(TURN, until - monotonic())))):
                    self._note(said)
                if pid in self._codes or monotonic() >= until:
                    return self._codes.get(pid)

    def _note(self, said: dict[str, int]) -> None:
        self._codes[said["ended"]] = said["code"]

    def _hear(self, within: float) -> dict[str, int] | None:
        if not select.select([self._ours], [], [], within)[0]:
            return None
        heard = self._ours.recv(MOST)
        assert heard, f"the interpreter that forks has ended: {self._process.wait()}"
        said: dict[str, int] = json.loads(heard)
        return said


@cache
def stove() -> Stove:
    """The one of this process."""
    return Stove()


# In the interpreter that forks


def keep_warm() -> None:
    """Import everything, and fork for whoever asks, until nobody can any more."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in OTHERS:
        importlib.import_module(name)
    asked = socket.socket(fileno=int(sys.argv[1]))
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake)
    while True:
        ready = select.select([asked.fileno(), woken], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            _tell_of_ends(asked)
        if asked.fileno() in ready:
            told, files, _, _ = socket.recv_fds(asked, MOST, 3)
            if not told:
                return
            pid = os.fork()
            if not pid:
                asked.close()
                _become(json.loads(told), files, (woken, wake))
            for file in files:
                os.close(file)
            asked.send(json.dumps({"pid": pid}).encode())


def _tell_of_ends(asked: socket.socket) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(ended[1])
            asked.send(json.dumps({"ended": ended[0], "code": code}).encode())


def _become(told: dict[str, Any], files: list[int], others: tuple[int, int]) -> NoReturn:
    """This process is the program from here on."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in (*files, *others):
        os.close(file)
    os.chdir(told["place"])
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv = told["command"]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    code: object = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
