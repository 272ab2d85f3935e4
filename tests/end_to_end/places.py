"""A directory of a test's own, in which it runs the program as a person would, by processes."""

import datetime as dt
import gzip
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, Final

from tests.end_to_end.warm import Fork, can, stove

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLE: Final = ROOT / "storage" / "sample"
RUN: Final = ROOT / "run.py"
NOTICE: Final = "Sample desk: prices end 2013-03-01, not today's."
ENDED: Final = {"done", "dead", "cancelled"}
LOOK: Final = 0.02
"""Seconds between two looks."""
Table = list[tuple[Any, ...]]


def until(holds: Callable[[], bool], what: str, within: float = 30.0) -> None:
    """Wait for it, looking again and again."""
    pause, begun = Event(), monotonic()
    while not holds():
        assert monotonic() - begun < within, f"{what}: not within {within} s"
        pause.wait(LOOK)


@dataclass(frozen=True)
class Ended:
    """What a process has left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on its standard output."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[str]:
        """Its standard error, but for the notice."""
        return [line for line in self.err.splitlines() if line != NOTICE]


class Program:
    """A process that was started, in a session of its own; its output goes to files."""

    def __init__(
        self, command: list[str], place: Path, environment: dict[str, str], number: int, typed: str, *, warm: bool
    ) -> None:
        self._out, self._err, lines = place / f"{number}.out", place / f"{number}.err", place / f"{number}.in"
        lines.write_text(typed)
        typed_or_nothing = lines if typed else Path(os.devnull)
        self._process: subprocess.Popen[bytes] | Fork
        with self._out.open("w") as out, self._err.open("w") as err, typed_or_nothing.open() as stdin:
            if warm:
                files = stdin.fileno(), out.fileno(), err.fileno()
                self._process = stove().fork(command[1:], place, environment, files)
            else:
                self._process = subprocess.Popen(
                    command, cwd=place, env=environment, stdin=stdin, stdout=out, stderr=err, start_new_session=True
                )
        self.pid = self._process.pid

    def send(self, number: signal.Signals) -> None:
        """A signal to it alone, not to those it may have started."""
        os.kill(self.pid, number)

    def wait(self, within: float = 60.0) -> Ended:
        """Wait for its end."""
        return Ended(self._process.wait(within), self._out.read_text(), self._err.read_text())

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it has printed on standard error so far."""
        return self._err.read_text()

    def kill(self) -> None:
        """End it if it has not."""
        if not self.ended:
            self._process.kill()
        self._process.wait(10)


class Place:
    """A home to be, and processes that know of nothing else; `close` ends those that still run."""

    def __init__(self, path: Path) -> None:
        self.path, self.home, self._programs = path, path / "desk", list[Program]()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(path), "TROUPE_METRICS__PORT": "0"}

    def start(self, *arguments: str, script: Path = RUN, typed: str = "") -> Program:
        """Start the program in this place. Its home is `desk`, as it is without an option."""
        return self._start([sys.executable, str(script), *arguments], typed, warm=can(self.environment))

    def run(self, *arguments: str, script: Path = RUN, typed: str = "") -> Ended:
        """Run the program to its end."""
        return self.start(*arguments, script=script, typed=typed).wait()

    def execute(self, *command: str, typed: str = "") -> Program:
        """Start any command; `typed` is its standard input."""
        return self._start(list(command), typed, warm=False)

    def _start(self, command: list[str], typed: str, *, warm: bool) -> Program:
        program = Program(command, self.path, self.environment, len(self._programs), typed, warm=warm)
        self._programs.append(program)
        return program

    def once(self, *options: str) -> Any:
        """The report of a round that came out well."""
        ended = self.run("once", "--json", *options)
        assert (ended.code, ended.lines) == (0, []), ended
        return ended.json

    def serve(self, script: Path = RUN) -> Program:
        """A desk that serves, and is ready."""
        program = self.start("serve", script=script)
        ready = f"runs as process {program.pid};"
        until(lambda: program.ended or ready in program.out, "serve")
        assert not program.ended, program.wait()
        return program

    def settings(self, text: str) -> None:
        """Write desk.toml."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        (self.home / "desk.toml").write_text(text)

    def copy_home(self, other: Path) -> None:
        """Make the home a copy of one at which nothing runs."""
        shutil.copytree(other, self.home)

    @property
    def children(self) -> list[int]:
        """The processes that were started from here and still run, and those that they have started."""
        mark = f"HOME={self.path}".encode()
        found = [program.pid for program in self._programs if not program.ended]
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return sorted(set(found))

    def close(self) -> None:
        """End what runs, and see that nothing else does."""
        for program in self._programs:
            program.kill()
        until(lambda: not self.children, "end of all processes", 2.0)

    # The database, as it is on disk

    def rows(self, sql: str) -> Table:
        """What a query returns."""
        with closing(sqlite3.connect(f"file:{self.home}/desk.sqlite3?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()

    def change(self, sql: str) -> None:
        """Change it behind the desk's back."""
        with closing(sqlite3.connect(self.home / "desk.sqlite3")) as connection:
            connection.executescript(sql)

    def tables(self, *but: str) -> dict[str, Table]:
        """All that is in it, but for these tables; nothing where there is no database."""
        if not (self.home / "desk.sqlite3").exists():
            return {}
        names = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return {name: self.rows(f"SELECT * FROM {name} ORDER BY 1") for (name,) in names if name not in but}


def sample_lines(symbol: str) -> Iterator[list[str]]:
    """The sample prices of a symbol: date, open, high, low, close, volume, adj_close."""
    with gzip.open(SAMPLE / "prices.csv.gz", "rt") as lines:
        for line in lines:
            name, *fields = line.rstrip("\n").split(",")
            if name == symbol:
                yield fields


def write_prices_until_today(place: Place, *symbols: str) -> None:
    """The last of the sample prices as if they were of today and of the days before, each a session (UTC)."""
    folder, today = place.home / "prices", dt.datetime.now(dt.UTC).date()
    folder.mkdir()
    for symbol in symbols:
        rows = list(sample_lines(symbol))[-600:]
        days = [today - dt.timedelta(days=before) for before in range(len(rows))][::-1]
        lines = [",".join([str(day), *row[1:]]) for day, row in zip(days, rows, strict=True)]
        (folder / f"{symbol}.csv").write_text("\n".join(["date,open,high,low,close,volume,adj_close", *lines]) + "\n")
