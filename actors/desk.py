"""The company: who exists, who knows whom, in which order they start and stop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from actors.claude.gateway import ClaudeGateway
from actors.claude.gateway import Message as ClaudeMessage
from actors.claude.sessions import Sessions
from actors.console.access import Access
from actors.database import DatabaseWriter
from actors.kernel.bus import Bus
from actors.kernel.edges import Promise
from actors.kernel.system import STOP_DESK, System
from actors.market.coordinator import MarketCoordinator
from actors.market.folder import FolderSource
from actors.market.sample import SampleSource
from actors.research.coordinator import ResearchCoordinator
from actors.settings.reading import Settings
from actors.tasks import Message as TaskMessage
from actors.tasks import TaskCoordinator
from actors.trading.coordinator import TradingCoordinator
from actors.workers.places import Places
from actors.workers.worker import Worker
from messages import console, database, market, research, trading
from messages.addresses import Down, Ref, Refused, ReplyTo
from messages.claude import BreakerChanged
from messages.database import Committed, Write
from messages.tasks import ComputeFacts, Drain, Recommend, RefreshBars, Run, ValuePortfolio, Work
from storage.connections import Operations, Reader
from storage.home import Home

TOLD: Final = "it was told to stop"
"""Why a desk stops that nothing is wrong with."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The world, handed in: how actors are run and on which clock, chance, from 0 to 1, Claude's programs, and where
    workers have jobs computed: those in Python, and of the others those that are pure."""

    system: Callable[[Bus, Callable[[ReplyTo[Committed | Refused]], None]], System]
    chance: Callable[[], float]
    sessions: Callable[[Reader], Sessions]
    places: Callable[[Settings], Places]


class Desk:
    """Composed on the main thread. An actor knows the addresses handed to it here, no others."""

    def __init__(self, home: Home, settings: Settings, edges: Edges, *, serve: bool) -> None:
        # Addresses first, so that anyone can know anyone.
        self.database = Ref[database.Message]("database")
        self.tasks = Ref[TaskMessage]("tasks")
        self.workers = Ref[Run]("workers")
        self.processes = Ref[Run]("processes")
        self.source = Ref[market.SourceMessage]("source")
        self.market = Ref[market.Message]("market")
        self.claude = Ref[ClaudeMessage]("claude")
        self.research = Ref[research.Message]("research")
        self.trading = Ref[trading.Message]("trading")
        self.console = Ref[console.Message]("console")

        # Which task is whose work, and how many seconds it may take.
        work: dict[type[Work], tuple[Ref[Run], float]] = {
            RefreshBars: (self.market, 120),
            ValuePortfolio: (self.processes, 60),
            ComputeFacts: (self.workers, 60),
            Recommend: (self.research, 4 * settings.claude.answer_within + 60),  # a line of two, each with a repair
        }
        # Who is told of what. Nothing that must happen hangs on it.
        bus = Bus({Down: (self.console,), BreakerChanged: (self.console,)} if serve else {})

        # Who exists: started downwards, stopped upwards.
        read, self._grace, self.operations = Reader(home.database), settings.grace, Operations()
        fixed = {"price_source": settings.source, "currency": settings.currency}
        hands = (64, 2)  # many more than there are workers: what is alike is done together, and the next is there
        self.system = system = edges.system(bus, lambda settled: self.database.tell(Write((), settled)))
        about = settings.source, settings.currency, settings.watch
        self.access = Access(
            system, self.tasks, self.trading, self.source, self.claude, read, *about, settings.claude
        )  # fmt: skip
        add, clock = system.add, system.clock
        add(self.database, lambda me: DatabaseWriter(me, home, fixed, self.operations), STOP_DESK)
        add(self.tasks, lambda me: TaskCoordinator(me, self.database, work, read, hands, edges.chance), STOP_DESK)
        known, places = (read, settings.currency, clock.utc), edges.places(settings)
        system.add_crew(self.workers, lambda take: Worker(take, places.pure(), *known), settings.threads)
        system.add_crew(self.processes, lambda take: Worker(take, places.python(), *known), settings.processes)
        add(self.source, lambda me: SampleSource() if settings.source == "sample" else FolderSource(settings.folder))
        add(self.market, lambda me: MarketCoordinator(me, self.source, read))
        here, sessions = self.claude, edges.sessions(read)
        add(here, lambda me: ClaudeGateway(me, here, self.database, sessions, settings.claude, read))
        add(self.research, lambda me: ResearchCoordinator(me, here, settings.claude, read))
        add(self.trading, lambda me: TradingCoordinator(me, self.database), STOP_DESK)
        if serve:
            from actors.console.console import Console  # brings a web server, 0.2 s that `once` does not need

            add(self.console, lambda me: Console(me, home, self.access))

    def start(self) -> None:
        """Start everyone; the last run is taken to have been killed. Raises StartFailed."""
        self.system.start(within=30.0)

    def told_to_stop(self) -> None:
        """Have whoever waits at an edge give up, and so come to `stop`; from any thread."""
        self.system.fail(TOLD)

    def stop(self) -> list[str]:
        """Let what is in flight end, then stop everyone; the names of those that overran."""
        self.told_to_stop()
        if self.system.failed.result() == TOLD:  # what is not settled in time is queued again at the next start
            drained = Promise()
            self.tasks.tell(Drain(drained))
            self.system.wait(self._grace / 2, drained.future)
        return self.system.stop(grace=self._grace / 2)
