"""Jobs that behave badly; imported by worker processes, so nothing of the desk's is imported here."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock


def behave(wanted: Sequence[tuple[str, object]]) -> list[object]:
    """Do what each of them says."""
    return [_one(how, what) for how, what in wanted]


def _one(how: str, what: object) -> object:
    match how:
        case "double":
            assert isinstance(what, int)
            return 2 * what
        case "raise":
            raise ZeroDivisionError(str(what))
        case "leave":
            sys.exit(3)
        case "exit":
            os._exit(3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
            return None
        case "hang" | "spin":
            assert isinstance(what, str)
            (Path(what) / str(os.getpid())).touch()
            while True:
                if how == "hang":
                    time.sleep(0.01)
        case "once":  # hangs at the first try, until it is told to go on
            assert isinstance(what, str)
            if not any(Path(what).iterdir()):
                (Path(what) / str(os.getpid())).touch()
                while not (Path(what) / "go").exists():
                    time.sleep(0.01)
            return os.getpid()
        case "take":  # its time, and notes each try
            assert isinstance(what, str)
            with open(what, "a") as tries:
                tries.write("x")
            time.sleep(0.5)
            return "took"
        case "eat":
            return len([b"x" * 2**25 for _ in range(400)])
        case "grow":
            globals()["kept"] = b"x" * (60 * 2**20)
            return os.getpid()
        case "pid":
            return os.getpid()
        case "lock":
            return Lock()
        case "modules":
            return sorted({name.partition(".")[0] for name in sys.modules})
        case "world":
            return [sys.stdin.read(), *os.environ]
        case _:
            raise ValueError(how)


def too_few(wanted: Sequence[object]) -> list[object]:
    """One value less than was asked for."""
    return list(wanted[1:])
