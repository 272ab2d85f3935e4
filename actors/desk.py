"""The company: who exists, who knows whom, in which order they start and stop."""

from actors import notify
from actors.brokers.choice import chosen, stopped, unconfirmed, unfit
from actors.bus import Bus, Route
from actors.claude import gateway
from actors.console.access import Access
from actors.database import DatabaseWriter
from actors.edges import Edges
from actors.kernel.edges import Promise
from actors.kernel.system import STOP_DESK
from actors.market.coordinator import MarketCoordinator
from actors.market.folder import FolderSource
from actors.market.sample import SampleSource
from actors.research.coordinator import ResearchCoordinator
from actors.settings.reading import Settings
from actors.tasks import coordinator as queues
from actors.tasks.hands import FREE
from actors.tasks.terms import Terms
from actors.tasks.times import Times
from actors.trading import coordinator as trading
from actors.trading.judging import Judge
from actors.workers.jobs import Known
from actors.workers.places import Here
from actors.workers.worker import WAITS, Worker
from messages import broker, console, database, market, research, tasks
from messages.addresses import Ref
from messages.database import Write
from messages.events import EVENTS
from storage.connections import Operations, Reader
from storage.home import Home

TOLD = "it was told to stop"
"""Why a desk stops that nothing is wrong with."""


class Desk:
    """Composed on the main thread. An actor knows the addresses handed to it here, no others."""

    def __init__(self, home: Home, settings: Settings, edges: Edges, *, serve: bool) -> None:
        # Addresses first, so that anyone can know anyone.
        self.database = Ref[database.Message]("database")
        self.tasks = Ref[queues.Message]("tasks")
        self.workers = Ref[tasks.Run]("workers")
        self.processes = Ref[tasks.Run]("processes")
        self.waits = Ref[tasks.Run]("waits")
        self.source = Ref[market.SourceMessage]("source")
        self.market = Ref[market.Message]("market")
        self.claude = Ref[gateway.Message]("claude")
        self.research = Ref[research.Message]("research")
        self.trading = Ref[trading.Message]("trading")
        self.broker = Ref[broker.Request]("broker")
        self.notifier = Ref[notify.Message]("notifier")
        self.console = Ref[console.Message]("console")

        # Which task is whose work, how many seconds it may take, and how often it is tried.
        work: dict[type[tasks.Work], Terms] = {
            tasks.RefreshBars: Terms(self.market, 120, back_off=2.0),
            tasks.RefreshCalendar: Terms(self.processes, 60, attempts=2),
            tasks.ValuePortfolio: Terms(self.processes, 60),
            tasks.ComputeFacts: Terms(self.workers, 60),
            tasks.Backup: Terms(self.waits, 3_600),
            # A line of two, each with a repair.
            tasks.Recommend: Terms(self.research, 4 * settings.claude.answer_within + 60, gives_up=self.research),
            **dict.fromkeys((tasks.StageOrder, tasks.Reconcile), Terms(self.trading, 120)),
        }
        # Who is told of what. Nothing that must happen hangs on it.
        routes = (
            Route("addresses.*", (self.notifier,)),
            Route("trading.*", (self.notifier,)),
            Route("claude.*", (self.notifier,), where={"state": {"open", "closed"}}),  # not that it is being probed
            Route("database.*", (self.trading, self.notifier)),
        )
        self.bus = Bus(EVENTS, routes)

        # Who exists: started downwards, stopped upwards.
        self.grace, self.operations, self.times = settings.grace, Operations(), Times()
        self.system = system = edges.system(self.bus.publish, lambda settled: self.database.tell(Write((), settled)))
        read = Reader(home.database, system.clock.monotonic)
        about = settings.source, settings.currency, settings.watch, settings.claude, self.operations, settings.backups
        add, crew, utc, terms = system.add, system.add_crew, system.clock.utc, settings.trading
        own = terms.broker, settings.calendar, terms.real_money, stopped(terms, home, utc, self.operations)
        self.access = Access(system, self.tasks, self.trading, self.source, self.claude, read, *about, *own)
        kept = self.operations, read.end_old_snapshots
        add(self.database, lambda me: DatabaseWriter(me, home, settings.fixed, *kept), STOP_DESK)
        given = work, read, FREE, edges.chance, settings.keep_tasks, self.times
        add(self.tasks, lambda me: queues.TaskCoordinator(me, self.database, *given), STOP_DESK)
        # Numbers in few threads, since they give up the interpreter's lock; Python, which holds it, in processes.
        known, places = Known(read, settings.currency, self.tasks.tell), edges.places(settings)
        crew(self.workers, lambda take: Worker(take, places.pure(), known, utc), settings.threads)
        crew(self.processes, lambda take: Worker(take, places.python(), known, utc), settings.processes)
        crew(self.waits, lambda take: Worker(take, Here(), known, utc, chunk=1), WAITS)
        add(self.source, lambda me: SampleSource() if settings.source == "sample" else FolderSource(settings.folder))
        add(self.market, lambda me: MarketCoordinator(me, self.source, read))
        here, self.sessions = self.claude, edges.sessions(read)
        add(here, lambda me: gateway.ClaudeGateway(me, here, self.database, self.sessions, settings.claude, read))
        add(self.research, lambda me: ResearchCoordinator(me, here, settings.claude, read, terms.analysts))
        edge = home.halted, settings.calendar, unfit(terms.broker), unconfirmed(terms, home, utc)
        judge = Judge(read, terms, settings.risk, *edge)
        add(self.broker, chosen(terms, home, read, self.database, self.broker, self.trading, utc))
        add(self.trading, lambda me: trading.TradingCoordinator(me, self.database, self.broker, judge, read), STOP_DESK)
        add(self.notifier, lambda me: notify.Notifier(me, edges.tell))
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
            self.tasks.tell(tasks.Drain(drained))
            self.system.wait(self.grace / 2, drained.future)
        return self.system.stop(grace=self.grace / 2)
