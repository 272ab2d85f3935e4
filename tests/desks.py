"""A whole desk on one thread: all its actors, a real database file, clocks the test moves."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from actors.console import asking, doors, rounds
from actors.console.asking import Mode
from actors.console.imports import import_holdings
from actors.console.report import Report, report
from actors.console.rounds import Asked
from actors.desk import Desk
from actors.domain.holdings import HoldingsFile
from actors.edges import Edges
from actors.kernel.testing import TestSystem
from actors.settings.reading import Settings
from actors.workers.places import Places
from messages.addresses import Refused, ReplyTo
from messages.database import Committed
from messages.values import CorrelationId
from storage import tasks
from storage.connections import Reader
from storage.home import Home
from storage.tasks import TaskRow
from tests.sessions import StagedSessions


class StagedDesk:
    """A desk in this home, not started yet; `at` is the seconds that its clock is ahead of 2013-03-01.

    Abandoned without `stop` it is a desk that was killed: another one on the same home starts from its file.
    """

    def __init__(
        self,
        home: Home,
        settings: Settings | None = None,
        *,
        seed: int = 0,
        at: float = 0.0,
        chance: Callable[[], float] = lambda: 0.5,
        serve: bool = False,
        tell: Callable[[str], bool] = lambda sentence: True,
    ) -> None:
        self.home, self.settings, self._seed, self._at = (
            home,
            settings or Settings(folder=home.path / "prices"),
            seed,
            at,
        )
        self.desk = Desk(
            home, self.settings, Edges(self._system, chance, self._programs, lambda _: Places(), tell), serve=serve
        )
        self.access, self.read = self.desk.access, self.desk.access.read

    def _system(
        self, publish: Callable[[object], None], flush: Callable[[ReplyTo[Committed | Refused]], None]
    ) -> TestSystem:
        self.system = TestSystem(self._seed, publish=publish, flush=flush)
        self.system.manual.manual.now = self._at
        return self.system

    def _programs(self, read: Reader) -> StagedSessions:
        self.sessions = StagedSessions(self.system.scheduler.later)
        return self.sessions

    def start(self) -> "StagedDesk":
        """Start everyone."""
        self.desk.start()
        return self

    def stop(self) -> None:
        """Stop everyone; nobody may overrun."""
        assert self.desk.stop() == []

    def begin(self, *, again: bool = False, claude: Mode = "off") -> CorrelationId:
        """Begin a round."""
        return rounds.begin(self.access, Asked(again, claude))

    def once(self, *, again: bool = False, claude: Mode = "off") -> Report:
        """Run a round to its end, as `once` does; where Claude is asked somebody has agreed."""
        if claude != "off":
            asking.agree(self.access)
        correlation_id = self.begin(again=again, claude=claude)
        doors.follow(doors.Here(self.access), correlation_id, lambda how_far: None)
        return report(self.read, correlation_id, self.settings.source)

    def import_text(self, text: str, origin: str = "holdings.csv") -> HoldingsFile:
        """Import holdings."""
        return import_holdings(self.access, text, origin)

    def tasks(self) -> list[TaskRow]:
        """All tasks, oldest first."""
        return tasks.newest(self.read, 10_000)[::-1]


def prices(folder: Path, symbol: str, *lines: str, header: str = "date,open,high,low,close,volume") -> Path:
    """A file of the csv source."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{symbol}.csv"
    path.write_text("\n".join((header, *lines)) + "\n", "utf-8")
    return path


def walk(count: int, first: float = 100.0) -> list[str]:
    """Lines of so many sessions from 2013-01-01 on, a day apart, that rise by one each."""
    days = (dt.date(2013, 1, 1) + dt.timedelta(days=n) for n in range(count))
    closes = (first + n for n in range(count))
    return [f"{day},{close},{close + 1},{close - 1},{close},1000" for day, close in zip(days, closes, strict=True)]
