"""What runs in a worker process: jobs, one after the other, until the desk's end of the socket closes.

`python -m actors.workers.child PARENT BYTES`, the socket being its standard input. Nothing of ours is imported but what
comes of jobs; each job brings what it needs.
"""

import ctypes
import os
import pickle
import resource
import signal
import socket
import struct
import sys
from typing import Any, Final

from actors.workers.places import Done, Failed, failure, values_of
from messages.errors import sentence

LENGTH: Final = struct.Struct(">Q")
NICE: Final = 5
"""How much the desk goes before its processes where both want the processor, so that jobs do not slow the writer."""
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to all; the desk, which is told too, decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _die_with(int(sys.argv[1]))
    os.nice(NICE)
    desk = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _limit_memory(int(sys.argv[2]))
    while (chunk := receive(desk)) is not None:
        for job in pickle.loads(chunk):
            answer = _answer(job)
            send(desk, LENGTH.pack(_resident()) + answer)


def _answer(job: bytes) -> bytes:
    """What came of it."""
    try:
        compute, one = pickle.loads(job)
        [value] = values_of(compute, [one])
    except BaseException as error:  # an exit too is that of the job, not of the process
        return pickle.dumps(failure(error))
    try:
        return pickle.dumps(Done(value), protocol=5)
    except Exception as error:
        why = f"its result cannot be sent back ({sentence(error)})"
        return pickle.dumps(Failed("invalid", why, failure(error).stack))


def _die_with(parent: int) -> None:
    """Be killed when the thread that started this process ends, however it does; elsewhere than on Linux see `main`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        sys.exit(1)


def _limit_memory(more: int) -> None:
    """Let this process have so many bytes more than it has; a job that wants more gets MemoryError."""
    if sys.platform == "linux":
        limit = _pages(0) + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _resident() -> int:
    """Bytes of memory it holds; elsewhere than on Linux the most it has ever held."""
    if sys.platform == "linux":
        return _pages(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _pages(column: int) -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[column]) * resource.getpagesize()


# Both ends


def send(end: socket.socket, message: bytes) -> None:
    """Send it whole."""
    end.sendall(LENGTH.pack(len(message)) + message)


def receive(end: socket.socket) -> bytearray | None:
    """The next message, or None where the other end has closed, be it in the middle of one."""
    if (head := _exactly(end, LENGTH.size)) is None:
        return None
    return _exactly(end, LENGTH.unpack(head)[0])


def _exactly(end: socket.socket, count: int) -> bytearray | None:
    buffer = bytearray(count)
    view: Any = memoryview(buffer)
    while view:
        try:
            got = end.recv_into(view)
        except ConnectionError:
            return None
        if not got:
            return None
        view = view[got:]
    return buffer


if __name__ == "__main__":
    main()
