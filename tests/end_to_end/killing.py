"""Lives to be killed, each a process of its own that is forked from one that has everything imported.

Run as a program it reads an Order a line and answers with the pid of a process that lives that life; the next line
it reads, whatever it says, has it wait for the end of that process and answer with its exit code. It has one thread and
opens no database, so that a fork of it is whole.
"""

import gc
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import apsw
import msgspec

from storage.home import Home
from tests.end_to_end.boundaries import Aim, Board, Seams, statements
from tests.lives import Life
from tests.seams import watching


@dataclass(frozen=True, slots=True)
class Order:
    """Which life is to be lived. `seams`: each statement and each step of SQLite's on a file is a boundary, too."""

    place: Path
    number: int
    seed: int
    asks: int = 0
    aim: Aim | None = None
    seams: bool = False
    ballast: bool = False
    last: bool = False
    wrong: bool = False

    @property
    def home(self) -> Home:
        """Where it is lived."""
        return Home(self.place / "desk")

    @property
    def noted(self) -> Path:
        """The answers that this story's clients have got, a line each."""
        return self.place / "noted"

    @property
    def board(self) -> Path:
        """The boundaries that this life passes."""
        return self.place / f"board-{self.number}"

    @property
    def complaint(self) -> Path:
        """Why it ended, if it failed."""
        return self.place / f"complaint-{self.number}"


def live(order: Order) -> None:
    """Live it."""
    board = Board(order.board, order.aim)
    noted = os.open(order.noted, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    board.passing("born")
    with ExitStack() as stack:
        if order.seams:
            apsw.connection_hooks.append(statements(board.passing))
            stack.enter_context(watching(Seams(board.passing)))
        home = order.home
        home.take()
        life = Life(
            home,
            order.number,
            order.seed,
            lambda line: _write(noted, line),
            board.passing,
            last=order.last,
            wrong=order.wrong,
        )
        life.start()
        life.load(order.asks, ballast=order.ballast)
        life.finish()


def _write(noted: int, line: str) -> None:
    os.write(noted, f"{line}\n".encode())


def _child(order: Order) -> Callable[[], int]:
    if (pid := os.fork()) == 0:
        code = 1
        try:
            live(order)
            code = 0
        except BaseException:
            order.complaint.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    print(pid, flush=True)
    return lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    """See the module."""
    gc.freeze()
    for line in sys.stdin:
        wait = _child(msgspec.json.decode(line, type=Order, dec_hook=_path))
        sys.stdin.readline()
        print(wait(), flush=True)


def _path(kind: type, value: object) -> object:
    return kind(value)


if __name__ == "__main__":
    main()
