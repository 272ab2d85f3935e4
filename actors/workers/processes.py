"""Jobs in a process of their own: one for each worker, which alone speaks to it, and ends it when it must."""

import os
import pickle
import select
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from signal import Signals
from time import monotonic
from typing import Any, Final

from actors.workers.child import LENGTH, receive, send
from actors.workers.places import Compute, Failed, GivenUp, Outcome, Unavailable, failure, name_of
from messages.errors import TroupeError, sentence

ROOT: Final = Path(__file__).resolve().parents[2]
LOOK: Final = 0.05
"""Seconds between two looks whether anybody still waits for the job that runs."""
PATIENCE: Final = 1.0
"""Seconds a job may take while others of its chunk wait for it; it then comes last, from its beginning. Doubled each
time, so that of work that is really this long at most half is done twice."""
STUCK: Final = 10.0
"""Seconds in which a message that has begun must be through the socket."""
RECYCLED: Final = 1_000
"""Jobs after which a process is replaced by a fresh one, for what they may have left behind in it."""
PASSED: Final = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR", "TZ")
"""Of the environment: what Python itself needs. A job is a pure function; it needs no key and no setting."""
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Died(TroupeError):
    """The process has ended by itself."""


class _Overran(Exception):
    """Others wait behind this one."""


class _GivenUp(Exception):
    """Nobody waits for it any more."""


class Process:
    """A worker process, started when it is first needed.

    Not multiprocessing's forkserver: that imports the main module anew into each process, and leaves a server and a
    tracker behind, which outlived a SIGKILL of the desk by more than 5 s. This one is a child of the very thread that
    uses it, and on Linux the kernel kills it with that thread. It starts in 0.06 s, once in 1,000 jobs. `memory` is the
    bytes it may have more than when it starts; one that holds half of them after a chunk is replaced.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._child: _Child | None = None

    def compute(self, compute: Compute, inputs: Sequence[Any], given_up: GivenUp) -> Iterator[tuple[int, Outcome]]:
        """One after the other, so that it is known which one it is that the process dies of or hangs on.

        That one alone fails; the rest of them runs again singly, in a new process.
        """
        jobs = dict[int, bytes]()
        for number, one in enumerate(inputs):
            try:
                jobs[number] = pickle.dumps((compute, one), protocol=5)
            except Exception as error:
                why = f"{name_of(compute)} and its input cannot be sent to a process ({sentence(error)})"
                yield number, Failed("invalid", why)
        waiting, singly, patience = deque(jobs), False, PATIENCE
        while waiting := deque(number for number in waiting if not given_up(number)):
            number = waiting[0]
            chunk = [number] if singly else list(waiting)
            try:
                child = self._send([jobs[number] for number in chunk])
                for number in chunk:
                    outcome = child.outcome(number, given_up, patience if len(waiting) > 1 else inf)
                    waiting.popleft()
                    yield number, outcome
                self._recycle(child)
            except Unavailable as error:
                yield from ((number, failure(error)) for number in waiting)
                return
            except Died as died:
                self.close()
                waiting.popleft()
                singly = True
                yield number, Failed("crashed", f"{name_of(compute)}: {died}")
            except _GivenUp:
                self.close()
                singly = True
            except _Overran:
                self.close()
                waiting.rotate(-1)
                singly, patience = True, 2 * patience

    def close(self) -> None:
        """End the process, whatever it is doing."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _send(self, jobs: list[bytes]) -> "_Child":
        if self._child is not None and self._child.ended():  # while it was idle, so no job of ours is to blame
            self.close()
        if self._child is None:
            self._child = _Child(self._memory)
        self._child.send(jobs)
        return self._child

    def _recycle(self, child: "_Child") -> None:
        if child.jobs >= RECYCLED or child.resident > self._memory / 2:
            self.close()


class _Child:
    """One incarnation of it, and this end of the socket to it."""

    def __init__(self, memory: int) -> None:
        self.jobs = self.resident = 0
        command = [sys.executable, "-m", "actors.workers.child", str(os.getpid()), str(memory)]
        world = {name: value for name, value in os.environ.items() if name in PASSED} | ONE_THREAD
        self._desk, self._process = _started(command, world)
        self._desk.settimeout(STUCK)
        self._replies = select.poll()
        self._replies.register(self._desk, select.POLLIN)

    def ended(self) -> bool:
        """Whether it has."""
        return self._process.poll() is not None

    def send(self, jobs: list[bytes]) -> None:
        """Have these done."""
        try:
            send(self._desk, pickle.dumps(jobs))
        except OSError as error:
            raise self._died() from error
        self.jobs += len(jobs)

    def outcome(self, number: int, given_up: GivenUp, limit: float) -> Outcome:
        """What came of the job that runs, this one."""
        until = monotonic() + limit
        while not self._replies.poll(LOOK * 1000):
            if given_up(number):
                raise _GivenUp
            if monotonic() > until:
                raise _Overran
        try:
            reply = receive(self._desk)
        except TimeoutError:
            reply = None
        if reply is None:
            raise self._died()
        [self.resident] = LENGTH.unpack_from(reply)
        try:
            outcome: Outcome = pickle.loads(memoryview(reply)[LENGTH.size :])
        except Exception as error:
            return Failed("invalid", f"its result cannot be read ({sentence(error)})")
        return outcome

    def kill(self) -> None:
        """End it."""
        self._desk.close()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STUCK)

    def _died(self) -> Died:
        try:
            code = self._process.wait(LOOK)
        except subprocess.TimeoutExpired:
            return Died("its process has closed its socket, or does not read from it")
        how = f"exit code {code}" if code >= 0 else Signals(-code).name
        return Died(f"its process ended by itself ({how})")


def _started(command: list[str], world: dict[str, str]) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """A process, and our end of its standard input. Raises Unavailable: too many of them, or too little memory."""
    try:
        desk, theirs = socket.socketpair()
        with theirs:
            try:
                return desk, subprocess.Popen(
                    command, cwd=ROOT, env=world, stdin=theirs.fileno(), stdout=subprocess.DEVNULL
                )
            except OSError:
                desk.close()
                raise
    except OSError as error:
        raise Unavailable(f"no process can be started here ({error}); see what else runs on this machine") from error
